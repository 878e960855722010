import type { KubeObject } from '../../kube/controller/object.ts'
import { labelValue, type Parent, parentAnnotation, parentValue } from '../objects/parent.ts'
import type { ProxyClass } from './class.ts'
import type { ProxyRequest } from './request.ts'

type MetricsOptions = {
  readonly parent: Parent
  /** Of the StatefulSet. */
  readonly name: string
  readonly namespace: string
  readonly selector: Readonly<Record<string, string>>
  /** `ts_proxy_type` */
  readonly type: NonNullable<ProxyRequest['metrics']> | 'proxygroup'
  readonly class: ProxyClass
}

/** The Service of the proxies' metrics, and the ServiceMonitor for it, as Tailscale's operator names and labels them. */
export function metricsObjects(options: MetricsOptions): readonly KubeObject[] {
  const { parent, name, namespace, selector, type, class: of } = options
  const isNamespaced = type !== 'connector' && type !== 'proxygroup'
  const within = isNamespaced ? { ts_proxy_parent_namespace: parent.namespace } : {}
  const job = ['ts', type, ...Object.values(within), parent.name].join('_')
  const metadata = {
    name: `${name}-metrics`,
    namespace,
    // Not the labels of other children: by these, other operators take this Service for the headless one.
    annotations: { [parentAnnotation]: parentValue(parent) },
    labels: {
      'tailscale.com/managed': 'true',
      'tailscale.com/metrics-target': name,
      ts_prom_job: labelValue(job),
      ts_proxy_type: type,
      ts_proxy_parent_name: labelValue(parent.name),
      ...within,
    },
  }
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata,
    spec: { selector, ports: [{ name: 'metrics', port: 9002, protocol: 'TCP' }] },
  }
  if (of.serviceMonitor === undefined) return [service]
  const monitor = {
    apiVersion: 'monitoring.coreos.com/v1',
    kind: 'ServiceMonitor',
    metadata: { ...metadata, labels: { ...of.serviceMonitor.labels, ...metadata.labels } },
    spec: {
      endpoints: [{ port: 'metrics' }],
      jobLabel: 'ts_prom_job',
      namespaceSelector: { matchNames: [namespace] },
      selector: { matchLabels: metadata.labels },
      targetLabels: ['ts_proxy_type', 'ts_proxy_parent_name', ...Object.keys(within)],
    },
  }
  return [service, monitor]
}
