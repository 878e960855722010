import { describe } from '../../lib/errors.ts'
import { readSmallFile } from '../../lib/read-file.ts'
import { ApiError } from './error.ts'

/** By what the operator proves who it is. The files are read whenever a token is needed, so they may change. */
export type CredentialFiles =
  | {
      /** An OAuth client. */
      readonly type: 'oauth-client'
      /** CLIENT_ID_FILE */
      readonly idFile: string
      /** CLIENT_SECRET_FILE */
      readonly secretFile: string
    }
  | {
      /** A token of the Pod's service account, which the tailnet trusts. */
      readonly type: 'workload-identity'
      /** CLIENT_ID */
      readonly clientId: string
      /** The file of the token, which the kubelet renews. */
      readonly tokenFile: string
    }

/** What the files hold. `secret` is the client's secret, or the token. */
export type Proof = { readonly id: string; readonly secret: string }

/** @throws ApiError `credentials` when a file cannot be read, or holds something else */
export async function readCredentials(files: CredentialFiles): Promise<Proof> {
  if (files.type === 'workload-identity') return { id: files.clientId, secret: await readText(files.tokenFile) }
  return { id: await readText(files.idFile), secret: await readText(files.secretFile) }
}

/** Neither IDs nor secrets nor tokens have other characters, or are longer. */
const shape = /^[\x21-\x7e]+$/
const mostBytes = 64 * 1024

async function readText(path: string): Promise<string> {
  let text: string
  try {
    text = (await readSmallFile(path, mostBytes)).toString('utf8').trim()
  } catch (cause) {
    throw unusable(`${path} cannot be read: ${describe(cause)}`)
  }
  if (text === '') throw unusable(`${path} is empty`)
  if (!shape.test(text)) throw unusable(`${path} holds something else: it has spaces, lines or other characters`)
  return text
}

const unusable = (why: string): ApiError =>
  new ApiError(`the credentials for the Tailscale API cannot be used: ${why}`, {
    problem: 'credentials',
    remedy: 'Check the Secret that is mounted there; it is read again by itself.',
  })
