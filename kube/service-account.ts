import { readFileSync } from 'node:fs'
import type { Account } from '../lib/transport.ts'
import type { Endpoint } from './endpoint.ts'
import { KubeError } from './error.ts'

/** The address of the API from within a Pod, and the account to use. */
export type InCluster = {
  /** Prefix of the service account's files, for tests; else empty. */
  readonly root: string
  /** KUBERNETES_SERVICE_HOST: a name or an address, also IPv6. */
  readonly host: string
  /** KUBERNETES_SERVICE_PORT_HTTPS; 443 when empty. */
  readonly port: string
  /**
   * Connect to `host` and `port`; otherwise to `kubernetes.default.svc`, a name in every API server's certificate, and
   * to `host` only while that name is not found.
   */
  readonly addressFromEnv: boolean
}

/** Where the API is; `fallback` is used if that name is not found. */
export type ApiEndpoint = Endpoint & { readonly fallback?: Endpoint }

const named: Endpoint = { host: 'kubernetes.default.svc', port: 443 }

export function endpointOf({ host, port, addressFromEnv }: InCluster): ApiEndpoint {
  const fromEnv = { host: host.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? 443 : Number(port) }
  if (addressFromEnv) return fromEnv
  return host === '' ? named : { ...named, fallback: fromEnv }
}

/**
 * The files of the Pod's service account. Each is read whenever it is needed, so that a rotated token or authority is
 * used at once. A read throws KubeError when the file is missing or holds something else.
 */
export type ServiceAccount = Account & {
  readonly namespace: () => string
  readonly token: () => string
  /** The authorities to trust, PEM. */
  readonly ca: () => string
}

export function serviceAccount(root: string): ServiceAccount {
  const read = (name: string, shape: RegExp): string => {
    const path = `${root}/var/run/secrets/kubernetes.io/serviceaccount/${name}`
    let text: string
    try {
      text = readFileSync(path, 'utf8').trim()
    } catch (cause) {
      throw unusable(`the service account's ${name} cannot be read`, cause)
    }
    if (!shape.test(text)) throw unusable(`the service account's ${name} in ${path} is none`)
    return text
  }
  const token = (): string => read('token', /^[\x21-\x7e]+$/)
  const ca = (): string => read('ca.crt', /^-----BEGIN CERTIFICATE-----$/m)
  return {
    namespace: () => read('namespace', /^[\w.-]+$/),
    token,
    ca,
    credentials: () => {
      const bearer = token()
      return { headers: { Authorization: `Bearer ${bearer}` }, hidden: [bearer], tls: { ca: ca() } }
    },
  }
}

const unusable = (message: string, cause?: unknown): KubeError =>
  new KubeError(message, {
    retryable: false,
    cause,
    remedy: "Have the Pod's service account mounted (serviceAccountName, automountServiceAccountToken).",
  })
