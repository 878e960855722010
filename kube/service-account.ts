import { readFileSync } from 'node:fs'
import { isIPv6 } from 'node:net'
import { KubeError } from './error.ts'

/** Where and as whom the API is asked from within a Pod. */
export type InCluster = {
  /** Prefix of the service account's files, for tests; else empty. */
  readonly root: string
  /** KUBERNETES_SERVICE_HOST: a name or an address, also IPv6. */
  readonly host: string
  /** KUBERNETES_SERVICE_PORT_HTTPS; 443 when empty. */
  readonly port: string
  /**
   * Ask at `host` and `port`; otherwise at `kubernetes.default.svc`, whose name every API server's certificate has, and
   * there only while this name is not found.
   */
  readonly addressFromEnv: boolean
}

/** The host of an IPv6 address is without brackets, as sockets and certificates want it. */
export type Endpoint = { readonly host: string; readonly port: number }

/** Where the API is; and `elsewhere`, where it is asked when that name is not found. */
export type ApiEndpoint = Endpoint & { readonly elsewhere?: Endpoint }

const named: Endpoint = { host: 'kubernetes.default.svc', port: 443 }

export function endpointOf({ host, port, addressFromEnv }: InCluster): ApiEndpoint {
  const fromEnv = { host: host.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? 443 : Number(port) }
  if (addressFromEnv) return fromEnv
  return host === '' ? named : { ...named, elsewhere: fromEnv }
}

export const urlOf = ({ host, port }: Endpoint): string =>
  `https://${isIPv6(host) ? `[${host}]` : host}${port === 443 ? '' : `:${port}`}`

/**
 * The files of the Pod's service account. Each is read whenever it is needed, so that a rotated token or authority is
 * used at once. A read throws KubeError when the file is missing or holds something else.
 */
export type ServiceAccount = {
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
  return {
    namespace: () => read('namespace', /^[\w.-]+$/),
    token: () => read('token', /^[\x21-\x7e]+$/),
    ca: () => read('ca.crt', /^-----BEGIN CERTIFICATE-----$/m),
  }
}

const unusable = (message: string, cause?: unknown): KubeError =>
  new KubeError(message, {
    retryable: false,
    cause,
    remedy: "Have the Pod's service account mounted (serviceAccountName, automountServiceAccountToken).",
  })
