import type { KubeObject, Metadata } from '../../../kube/controller/object.ts'

/** A ConfigMap. */
export const configMap = (name: string, version: string, more: Partial<Metadata> = {}, data = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: 'ns', uid: `uid-${name}`, resourceVersion: version, ...more },
  data,
})
