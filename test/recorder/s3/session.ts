import { createHash, createHmac } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { secretAccessKey } from './keys.ts'

/** The token of the credentials that the bed lends for a while. */
export const sessionToken = 'a-session-of-the-lab'

/**
 * The headers of a request as if it was signed with credentials that stay, since the S3 server knows no tokens but its
 * own. Undefined if the token or the signature is wrong.
 */
export function withoutSession(
  method: string,
  url: string,
  headers: IncomingHttpHeaders,
): IncomingHttpHeaders | undefined {
  const { authorization = '', 'x-amz-security-token': token, ...rest } = headers
  if (token === undefined) return headers
  const [, scope = '', names = '', given] =
    /Credential=[^/]+\/([^,]+), ?SignedHeaders=([^,]+), ?Signature=(\w+)$/.exec(authorization) ?? []
  const sign = (signed: string): string => signatureOf(method, url, headers, scope, signed)
  if (token !== sessionToken || given !== sign(names)) return undefined
  const fewer = names.replace(/;x-amz-security-token|^x-amz-security-token;?/, '')
  return { ...rest, authorization: authorization.replace(names, fewer).replace(given, sign(fewer)) }
}

/** By AWS's Signature Version 4. */
function signatureOf(method: string, url: string, headers: IncomingHttpHeaders, scope: string, names: string): string {
  const [path = '', query = ''] = url.split('?')
  const parameters = query.split('&').filter(Boolean).toSorted().join('&')
  const lines = names.split(';').map((name) => `${name}:${String(headers[name]).trim().replaceAll(/\s+/g, ' ')}\n`)
  const request = [method, path, parameters, lines.join(''), names, headers['x-amz-content-sha256']].join('\n')
  const hash = createHash('sha256').update(request).digest('hex')
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, hash].join('\n')
  const hmac = (key: string | Buffer, part: string): Buffer => createHmac('sha256', key).update(part).digest()
  const key = scope.split('/').reduce<string | Buffer>(hmac, `AWS4${secretAccessKey}`)
  return hmac(key, text).toString('hex')
}
