import type { KubeConfig } from '@kubernetes/client-node'
import { describe } from '../../lib/errors.ts'
import type { Trust } from '../../lib/http-client.ts'
import { parseJson } from '../../lib/json.ts'
import type { Account, Credentials, TransportOptions } from '../../lib/transport.ts'
import { KubeError } from '../error.ts'
import type { ApiRequest } from '../requests.ts'
import { transport } from '../transport.ts'
import { type Api, type ApiOptions, kubeApi } from './api.ts'

/** Where the configuration comes from: the Pod's service account, a kubeconfig file, or the usual search for either. */
export type Configuration = 'in-cluster' | 'default' | { readonly kubeconfig: string }

export type ClusterAccess = {
  readonly api: Api
  /** One request for something that is no object of a kind, such as a review. Gives the JSON of the answer. */
  readonly ask: (request: ApiRequest, signal: AbortSignal) => Promise<unknown>
  /** The namespace of the Pod, or of the current context. */
  readonly namespace: string
}

/** A call as a whole, retries included. */
const callMs = 30_000

/**
 * The cluster of a configuration, through @kubernetes/client-node, which no other file imports: it finds and reads
 * configurations, and authenticates (service accounts, certificates, exec plugins, OpenID Connect). Requests are our
 * own: its serialiser drops fields that it does not know, and it opens a connection for each call.
 * @throws KubeError when the configuration cannot be used
 */
export async function connect(
  from: Configuration,
  { isDryRun = false, ...options }: TransportOptions<ApiRequest> & Pick<ApiOptions, 'isDryRun'> = {},
): Promise<ClusterAccess> {
  const client = await import('@kubernetes/client-node')
  const load = (): KubeConfig => {
    const config = new client.KubeConfig()
    try {
      if (from === 'in-cluster') config.loadFromCluster()
      else if (from === 'default') config.loadFromDefault()
      else config.loadFromFile(from.kubeconfig)
    } catch (cause) {
      throw unusable('it cannot be read', cause)
    }
    return config
  }
  const config = load()
  const cluster = config.getCurrentCluster()
  if (!cluster || !URL.canParse(cluster.server)) throw unusable('its current context names no cluster with a URL')
  if (cluster.proxyUrl !== undefined) throw unusable('proxy-url is not supported')
  const { origin, pathname } = new URL(cluster.server)
  const { call, stream } = transport({ url: origin }, accountOf(config, load), callMs, options)
  const namespace = config.getContextObject(config.currentContext)?.namespace?.trim()
  const prefix = pathname.replace(/\/$/, '')
  return {
    api: kubeApi({ call, stream }, { prefix, isDryRun }),
    ask: (request, signal) => call({ ...request, path: prefix + request.path }, parseJson, signal),
    namespace: namespace ?? 'default',
  }
}

/**
 * The credentials of a configuration. It caches tokens, even for a minute after a file with a new one was mounted; so
 * after a 401 everything is loaded anew.
 */
function accountOf(first: KubeConfig, load: () => KubeConfig): Account {
  let config: KubeConfig | undefined = first
  return {
    credentials: async () => {
      try {
        config ??= load()
        const options: HttpsOptions = {}
        await config.applyToHTTPSOptions(options)
        return credentialsOf(options)
      } catch (cause) {
        throw cause instanceof KubeError ? cause : unusable('its credentials cannot be had', cause)
      }
    },
    refused: () => {
      config = undefined
    },
  }
}

/** As client-node fills them, for Node's HTTPS client. */
type HttpsOptions = NonNullable<Parameters<KubeConfig['applyToHTTPSOptions']>[0]>

function credentialsOf(options: HttpsOptions): Credentials {
  const { ca, cert, key, servername, rejectUnauthorized, auth, headers: given } = { ...options } as const
  const headers: Record<string, string> = {}
  if (typeof auth === 'string') headers['Authorization'] = `Basic ${Buffer.from(auth).toString('base64')}`
  // The text of a mounted token may end with a newline.
  for (const [name, value] of Object.entries(given ?? {})) headers[name] = String(value).trim()
  const texts = { ca: textOf(ca), cert: textOf(cert), key: textOf(key), servername: textOf(servername) }
  const tls: Trust = {
    ...Object.fromEntries(Object.entries(texts).filter(([, value]) => value !== undefined)),
    ...(rejectUnauthorized === false && { rejectUnauthorized }),
  }
  const token = headers['Authorization']?.replace(/^\w+ /, '')
  return { headers, hidden: token === undefined ? [] : [token], tls }
}

const textOf = (value: unknown): string | undefined =>
  Buffer.isBuffer(value) ? value.toString('utf8') : typeof value === 'string' ? value : undefined

/** The cause may be what a plugin wrote, which is for people and may be long. */
const unusable = (what: string, cause?: unknown): KubeError =>
  new KubeError(
    `the configuration of the Kubernetes client cannot be used: ${what}${cause === undefined ? '' : `: ${describe(cause).slice(0, 500)}`}`,
    { retryable: true, remedy: 'Check the kubeconfig file, or that the service account is mounted.' },
  )
