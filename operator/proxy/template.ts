import type { Entry } from './environment.ts'

export type TemplateOptions = {
  readonly agent: 'culvert' | 'upstream'
  readonly image: string
  /** Of the service account. */
  readonly account: string
  /** Of the Pods. */
  readonly labels: Readonly<Record<string, string>>
  /** Selects the Pods of this parent. */
  readonly selector: Readonly<Record<string, string>>
  /** Empty: none. */
  readonly priorityClass: string
  /** `kernel` forwards packets, and needs NET_ADMIN and a TUN device; `userspace` needs nothing. */
  readonly mode: 'kernel' | 'userspace'
  readonly env: readonly Entry[]
  readonly debug: boolean
  readonly metrics: boolean
  readonly volumes: readonly object[]
  readonly mounts: readonly object[]
  /** Beside NET_ADMIN. */
  readonly capabilities?: readonly string[]
  /** The agent listens on ports below 1024 without privileges. */
  readonly opensPorts?: boolean
  /** Seconds that a Pod has to end; undefined: as usual. */
  readonly graceSeconds?: number
  /** The agent serves its health on port 9002. */
  readonly isHealthServed?: boolean
  /** A path there that is requested before a Pod ends. */
  readonly preStop?: string | undefined
  /** Types of Pod conditions. */
  readonly readinessGates?: readonly string[]
  /** A container that starts before the proxy's, and ends after it. */
  readonly sidecar?: Readonly<Record<string, unknown>> | undefined
}

/** What all containers of Culvert's have. */
export const unprivileged = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true } as const

/** Where the volume of tailscaled's socket is, in Pods without NET_ADMIN. */
export const runFolder = '/run/tailscale'

/** The main container, which users' ProxyClasses name, too. */
export const containerName = 'tailscale'

/** Where agents serve health and metrics, unless a ProxyClass says otherwise. */
export const healthPort = 9002

/** The Pod template of a StatefulSet. */
export function podTemplate(options: TemplateOptions): Readonly<Record<string, unknown>> {
  return options.agent === 'culvert' ? culvert(options) : upstream(options)
}

/** With least privilege, and with probes. */
function culvert(options: TemplateOptions): Readonly<Record<string, unknown>> {
  const { labels, selector, image, mode, volumes, mounts, capabilities = [], opensPorts = false, sidecar } = options
  const isKernel = mode === 'kernel'
  const pullPolicy = { imagePullPolicy: 'IfNotPresent' }
  const run = isKernel ? '/run' : runFolder
  const { imagePullPolicy } = sidecar ?? {}
  const own = imagePullPolicy !== undefined && { imagePullPolicy }
  const first = [
    ...(isKernel ? [{ ...sysctler(image), ...pullPolicy }] : []),
    ...(sidecar === undefined ? [] : [{ ...sidecar, ...pullPolicy, ...own, restartPolicy: 'Always' }]),
  ]
  const user = {
    runAsNonRoot: true,
    runAsUser: 1000,
    fsGroup: 1000,
    ...(opensPorts && { sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] }),
  }
  const device = { name: 'tun', hostPath: { path: '/dev/net/tun', type: 'CharDevice' } }
  const spread = { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' }
  return {
    metadata: { labels },
    spec: {
      ...podOptions(options),
      terminationGracePeriodSeconds: options.graceSeconds ?? 60,
      securityContext: { ...(!isKernel && user), seccompProfile: { type: 'RuntimeDefault' } },
      topologySpreadConstraints: [{ ...spread, labelSelector: { matchLabels: selector } }],
      ...(first.length > 0 && { initContainers: first }),
      containers: [
        {
          ...main(options),
          ...pullPolicy,
          ...probes(options),
          resources: { requests: { cpu: '10m', memory: '128Mi' } },
          securityContext: {
            ...unprivileged,
            capabilities: { drop: ['ALL'], ...(isKernel && { add: ['NET_ADMIN', ...capabilities] }) },
          },
          volumeMounts: [
            ...mounts,
            ...(isKernel ? [{ name: 'tun', mountPath: '/dev/net/tun' }] : []),
            { name: 'tmp', mountPath: '/tmp' },
            { name: 'run', mountPath: run },
          ],
        },
      ],
      volumes: [
        ...volumes,
        ...(isKernel ? [device] : []),
        { name: 'tmp', emptyDir: {} },
        { name: 'run', emptyDir: {} },
      ],
    },
  }
}

/** Where health is served, kubelet need not start a program for each look. */
function probes({ isHealthServed = false }: TemplateOptions) {
  const probe = (command: 'ready' | 'live', periodSeconds: number) => ({
    ...(isHealthServed
      ? { httpGet: { path: `/${command}z`, port: healthPort } }
      : { exec: { command: ['culvert', command] } }),
    periodSeconds,
    timeoutSeconds: 5,
    failureThreshold: 3,
  })
  return { readinessProbe: probe('ready', isHealthServed ? 5 : 10), livenessProbe: probe('live', 30) }
}

/** As Tailscale's operator makes it, but for the service account, and for a time to end that has an effect. */
function upstream(options: TemplateOptions): Readonly<Record<string, unknown>> {
  const { labels, image, mode, volumes, mounts, graceSeconds } = options
  const isKernel = mode === 'kernel'
  return {
    // It has no effect; it is there so that the template is the same.
    metadata: { labels, ...(graceSeconds === undefined && { deletionGracePeriodSeconds: 10 }) },
    spec: {
      ...podOptions(options),
      ...(graceSeconds !== undefined && { terminationGracePeriodSeconds: graceSeconds }),
      ...(isKernel && { initContainers: [{ ...sysctler(image), imagePullPolicy: 'Always' }] }),
      containers: [
        {
          ...main(options),
          imagePullPolicy: 'Always',
          resources: { requests: { cpu: '1m', memory: '1Mi' } },
          ...(isKernel && { securityContext: { privileged: true } }),
          volumeMounts: mounts,
        },
      ],
      volumes,
    },
  }
}

const podOptions = ({ account, priorityClass, readinessGates = [] }: TemplateOptions) => ({
  serviceAccountName: account,
  ...(priorityClass !== '' && { priorityClassName: priorityClass }),
  ...(readinessGates.length > 0 && {
    readinessGates: readinessGates.map((conditionType) => ({ conditionType })),
  }),
})

function main({ image, env, debug, metrics, preStop }: TemplateOptions) {
  const ports = [
    ...(debug ? [{ name: 'debug', containerPort: 9001, protocol: 'TCP' }] : []),
    ...(metrics ? [{ name: 'metrics', containerPort: 9002, protocol: 'TCP' }] : []),
  ]
  return {
    name: containerName,
    image,
    env,
    ...(ports.length > 0 && { ports }),
    ...(preStop !== undefined && { lifecycle: { preStop: { httpGet: { path: preStop, port: healthPort } } } }),
  }
}

/** Most kubelets do not let Pods switch forwarding on themselves. */
const sysctler = (image: string) => ({
  name: 'sysctler',
  image,
  command: ['/bin/sh', '-c'],
  args: [
    'echo 1 > /proc/sys/net/ipv4/ip_forward; six=/proc/sys/net/ipv6/conf/all/forwarding; if [ -e $six ]; then echo 1 > $six; fi',
  ],
  securityContext: { privileged: true },
})
