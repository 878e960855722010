import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { isJsonObject, optional } from '../../lib/json.ts'
import type { ServeService } from '../../wire/serve-config.ts'
import { type Group, typeOf } from '../group/group.ts'
import { podField } from '../proxy/environment.ts'
import type { Variable } from '../proxy/request.ts'
import { healthPort, runFolder, unprivileged } from '../proxy/template.ts'

/** Where the proxy is reached by tailscaled, which tells it who calls. It ends TLS itself, for the sake of HTTP/2. */
const port = { TCPForward: '127.0.0.2:8443', ProxyProtocol: 2 } as const

/** What the replicas of an API server group serve. */
export const apiSite: ServeService = { TCP: { '443': port } }

/** The file of the group's ConfigMap with the proxy's config. */
export const apiConfigFile = 'config.hujson'

export const isApiServerGroup = (object: KubeObject): boolean =>
  object.kind === 'ProxyGroup' && typeOf(object) === 'kube-apiserver'

/** The name in the tailnet that an API server group asks for. It may be invalid. */
export function apiHostname({ metadata, spec }: KubeObject): string {
  const asked =
    isJsonObject(spec) && isJsonObject(spec['kubeAPIServer']) ? spec['kubeAPIServer']['hostname'] : undefined
  return typeof asked === 'string' && asked !== '' ? asked : metadata.name
}

/** The config of the proxies of a group: as what they pass requests on, and the names of which they show certificates. */
export const apiConfig = (mode: Group['mode'], [service, ...others]: readonly string[]): string =>
  JSON.stringify({
    Version: 'v1alpha1',
    APIServerProxy: {
      Enabled: true,
      Mode: mode,
      ServiceName: service,
      ...(others.length > 0 && { OtherServiceNames: others }),
    },
  })

const own = { socket: `${runFolder}/tailscaled.sock`, port: healthPort + 1 }

/** What the agent's container needs so that the proxy can use its tailscaled: both run as the same user. */
export const apiAgentVariables = [
  { name: 'TS_SOCKET', value: own.socket },
  { name: 'TS_PERMIT_CERT_UID', value: '1000' },
] as const

/** The proxy's container. `variable`: which says what it is to do; `mounts`: what it needs for that. */
export function apiContainer(
  image: string,
  variable: Variable,
  mounts: readonly object[] = [],
): Readonly<Record<string, unknown>> {
  const probe = (path: string, periodSeconds: number) => ({
    httpGet: { path, port: own.port },
    periodSeconds,
    timeoutSeconds: 5,
    failureThreshold: 3,
  })
  return {
    name: 'k8s-proxy',
    image,
    env: [
      variable,
      // For its Events.
      podField('POD_NAME', 'metadata.name'),
      podField('POD_UID', 'metadata.uid'),
      { name: 'TS_SOCKET', value: own.socket },
      { name: 'CULVERT_APISERVER_LISTEN', value: port.TCPForward },
      { name: 'CULVERT_APISERVER_PORT', value: String(own.port) },
    ],
    readinessProbe: probe('/readyz', 5),
    livenessProbe: probe('/livez', 30),
    resources: { requests: { cpu: '10m', memory: '64Mi' } },
    securityContext: { ...unprivileged, capabilities: { drop: ['ALL'] } },
    volumeMounts: [...mounts, { name: 'run', mountPath: runFolder }],
  }
}

const podStatus = z.object({ conditions: optional(z.array(z.object({ type: z.string(), status: z.string() }))) })

/** Whether all containers of a Pod are ready, the proxy among them, whatever its gates say. */
export const hasReadyContainers = (pod: KubeObject | undefined): boolean =>
  z
    .safeParse(podStatus, pod?.['status'])
    .data?.conditions?.some(({ type, status }) => type === 'ContainersReady' && status === 'True') === true
