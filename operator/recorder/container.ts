import type { KubeObject } from '../../kube/controller/object.ts'
import { podField } from '../proxy/environment.ts'
import type { Variable } from '../proxy/request.ts'
import { runFolder, unprivileged } from '../proxy/template.ts'
import type { Asked } from './request.ts'

const [dataVolume, dataFolder] = ['data', '/data'] as const
/**
 * The recorder reads what others send, and has nothing to ask of Kubernetes: an empty folder is where the token would be
 * with which the agent reads the node's keys.
 */
const [noToken, tokenFolder] = ['no-token', '/var/run/secrets/kubernetes.io/serviceaccount'] as const
/** Of probes and metrics. */
const healthPort = 9004

/** Where tailscaled hands on what comes for the recorder, and who it comes from. */
const uploads = { TCPForward: '127.0.0.2:8080', ProxyProtocol: 2 } as const

/** The same for the web page of recordings, when tailscaled has ended TLS. */
const page = { TCPForward: '127.0.0.2:8081', TerminateTLS: '${TS_CERT_DOMAIN}', ProxyProtocol: 2 } as const

/** What the agent of a recorder serves to the tailnet. */
export const serveConfig = ({ spec }: Asked) => ({
  TCP: { '80': uploads, ...(spec.enableUI === true && { '443': page }) },
})

const socket: Variable = { name: 'TS_SOCKET', value: `${runFolder}/tailscaled.sock` }
/** What the agent's container needs so that the recorder can ask its tailscaled who somebody is. */
export const agentVariables: readonly Variable[] = [socket]

/** The recorder's container. */
export function recorderContainer({ spec }: Asked, image: string): Readonly<Record<string, unknown>> {
  const wanted = spec.statefulSet?.pod?.container ?? {}
  const secret = spec.storage?.s3?.credentials?.secret?.name ?? ''
  const probe = (path: string, periodSeconds: number) => ({
    httpGet: { path, port: healthPort },
    periodSeconds,
    timeoutSeconds: 5,
    failureThreshold: 3,
  })
  return {
    name: 'recorder',
    image: wanted.image ?? image,
    env: environment(spec.storage?.s3, spec.enableUI === true, wanted.env),
    ...(secret !== '' && { envFrom: [{ secretRef: { name: secret } }] }),
    ports: [{ name: 'metrics', containerPort: healthPort, protocol: 'TCP' }],
    readinessProbe: probe('/readyz', 5),
    livenessProbe: probe('/livez', 30),
    resources: wanted.resources ?? { requests: { cpu: '10m', memory: '128Mi' } },
    // Another user than the agent's, who may only look at tailscaled.
    securityContext: wanted.securityContext ?? {
      ...unprivileged,
      runAsUser: 65532,
      runAsGroup: 65532,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [
      { name: dataVolume, mountPath: dataFolder },
      { name: 'run', mountPath: runFolder, readOnly: true },
      { name: noToken, mountPath: tokenFolder, readOnly: true },
    ],
    ...(wanted.imagePullPolicy !== undefined && { imagePullPolicy: wanted.imagePullPolicy }),
  }
}

type S3 = NonNullable<Asked['spec']['storage']>['s3']

/** The variables of a user come between, as with Tailscale's operator: they may use those before, and not change those after. */
function environment(
  s3: S3,
  hasPage: boolean,
  users: readonly { readonly name: string; readonly value?: string | undefined }[] = [],
): readonly object[] {
  const destination =
    s3 === undefined
      ? [{ name: 'TSRECORDER_DST', value: `${dataFolder}/recordings` }]
      : [
          { name: 'TSRECORDER_DST', value: `s3://${s3.endpoint ?? ''}` },
          { name: 'TSRECORDER_BUCKET', value: s3.bucket ?? '' },
        ]
  const all = [
    podField('POD_NAME', 'metadata.name'),
    ...users,
    socket,
    { name: 'CULVERT_RECORDER_LISTEN', value: uploads.TCPForward },
    { name: 'CULVERT_RECORDER_PORT', value: String(healthPort) },
    ...destination,
    ...(hasPage
      ? [
          { name: 'TSRECORDER_UI', value: 'true' },
          { name: 'CULVERT_RECORDER_WEB_LISTEN', value: page.TCPForward },
        ]
      : []),
  ]
  // Of two variables with the same name the API would refuse the object.
  return all.filter(({ name }, index) => all.findLastIndex((one) => one.name === name) === index)
}

/** The recorder's volumes. Recordings are kept, or wait for S3, on one that goes with its Pod, or on a claim that stays. */
export function storage({ volume, volumeClass }: Asked): {
  readonly volumes: readonly object[]
  readonly volumeClaims: readonly KubeObject[]
} {
  const empty = { name: noToken, emptyDir: {} }
  if (volume === undefined) return { volumes: [{ name: dataVolume, emptyDir: {} }, empty], volumeClaims: [] }
  const claim: KubeObject = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: dataVolume },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: volume } },
      ...(volumeClass !== undefined && { storageClassName: volumeClass }),
      volumeMode: 'Filesystem',
    },
    // The API would add it.
    status: { phase: 'Pending' },
  }
  return { volumes: [empty], volumeClaims: [claim] }
}
