import { configFiles, serveFile } from './device-config.ts'
import { environment, type EnvironmentOptions } from './environment.ts'

export type TemplateOptions = EnvironmentOptions & {
  readonly image: string
  /** Of the StatefulSet and the service account; Secrets and Pods are `<name>-<ordinal>`. */
  readonly name: string
  /** Of the Pods. */
  readonly labels: Readonly<Record<string, string>>
  /** Selects the Pods of this parent. */
  readonly selector: Readonly<Record<string, string>>
  /** Empty: none. */
  readonly priorityClass: string
}

/** The main container, which users' ProxyClasses name, too. */
export const containerName = 'tailscale'

/** The Pod template of a StatefulSet. */
export function podTemplate(options: TemplateOptions): Readonly<Record<string, unknown>> {
  return options.agent === 'culvert' ? culvert(options) : upstream(options)
}

/** With least privilege, and with probes. */
function culvert(options: TemplateOptions): Readonly<Record<string, unknown>> {
  const { labels, selector, image, request } = options
  const isKernel = request.mode === 'kernel'
  const opensPorts = request.variables.some(({ name }) => name === 'CULVERT_DEST_PORTS')
  // What is served to the cluster, too, is listened on, and mostly on a port below 1024.
  const forSites = request.serveConfig === undefined ? [] : ['NET_BIND_SERVICE']
  const run = isKernel ? '/run' : '/run/tailscale'
  const probe = (command: string, periodSeconds: number) => ({
    exec: { command: ['culvert', command] },
    periodSeconds,
    timeoutSeconds: 5,
    failureThreshold: 3,
  })
  const user = {
    runAsNonRoot: true,
    runAsUser: 1000,
    fsGroup: 1000,
    ...(opensPorts && { sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] }),
  }
  const { volumes, mounts } = mounted(options)
  const pullPolicy = { imagePullPolicy: 'IfNotPresent' }
  const device = { name: 'tun', hostPath: { path: '/dev/net/tun', type: 'CharDevice' } }
  const spread = { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' }
  return {
    metadata: { labels },
    spec: {
      ...podOptions(options),
      terminationGracePeriodSeconds: 60,
      securityContext: { ...(!isKernel && user), seccompProfile: { type: 'RuntimeDefault' } },
      topologySpreadConstraints: [{ ...spread, labelSelector: { matchLabels: selector } }],
      ...(isKernel && { initContainers: [{ ...sysctler(image), ...pullPolicy }] }),
      containers: [
        {
          ...main(options),
          ...pullPolicy,
          readinessProbe: probe('ready', 10),
          livenessProbe: probe('live', 30),
          resources: { requests: { cpu: '10m', memory: '128Mi' } },
          securityContext: {
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'], ...(isKernel && { add: ['NET_ADMIN', ...forSites] }) },
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

/** As Tailscale's operator makes it, but for the service account. */
function upstream(options: TemplateOptions): Readonly<Record<string, unknown>> {
  const { labels, image, request } = options
  const isKernel = request.mode === 'kernel'
  const { volumes, mounts } = mounted(options)
  return {
    // It has no effect; it is there so that the template is the same.
    metadata: { labels, deletionGracePeriodSeconds: 10 },
    spec: {
      ...podOptions(options),
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

const podOptions = ({ name, priorityClass }: TemplateOptions) => ({
  serviceAccountName: name,
  ...(priorityClass !== '' && { priorityClassName: priorityClass }),
})

function main(options: TemplateOptions) {
  const { image, debug, metrics } = options
  const ports = [
    ...(debug ? [{ name: 'debug', containerPort: 9001, protocol: 'TCP' }] : []),
    ...(metrics ? [{ name: 'metrics', containerPort: 9002, protocol: 'TCP' }] : []),
  ]
  return { name: containerName, image, env: environment(options), ...(ports.length > 0 && { ports }) }
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

/** The Secrets of all replicas, since a template cannot name just the one of its Pod. */
function mounted({ name, request, agent }: TemplateOptions) {
  const secrets = request.hostnames.map((_, ordinal) => `${name}-${ordinal}`)
  // Without the state, whose changes would look like changes of the config. A Pod must start also while the Secret of
  // another one is being removed.
  const config = agent === 'culvert' && { items: itemsOf(configFiles), optional: true }
  const serve = { items: itemsOf([serveFile]), ...(agent === 'culvert' && { optional: true }) }
  const servesOne = request.serveConfig !== undefined
  return {
    volumes: secrets.flatMap((secretName, ordinal) => [
      { name: `tailscaledconfig-${ordinal}`, secret: { secretName, ...config } },
      ...(servesOne ? [{ name: `serve-config-${ordinal}`, secret: { secretName, ...serve } }] : []),
    ]),
    mounts: secrets.flatMap((secretName, ordinal) => [
      { name: `tailscaledconfig-${ordinal}`, mountPath: `/etc/tsconfig/${secretName}`, readOnly: true },
      ...(servesOne
        ? [{ name: `serve-config-${ordinal}`, mountPath: `/etc/tailscaled/${secretName}`, readOnly: true }]
        : []),
    ]),
  }
}

const itemsOf = (keys: readonly string[]) => keys.map((key) => ({ key, path: key }))
