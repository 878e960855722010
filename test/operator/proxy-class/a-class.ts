import type { KubeObject } from '../../../kube/controller/object.ts'
import type { ProxyClassSpec } from '../../../operator/schemas/proxy-class.ts'

export const proxyClass = (name: string, spec: ProxyClassSpec, metadata = {}, status = {}): KubeObject => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind: 'ProxyClass',
  metadata: { name, uid: `uid-${name}`, generation: 1, ...metadata },
  spec,
  status,
})

export const serviceMonitors: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'servicemonitors.monitoring.coreos.com' },
}
