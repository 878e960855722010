import type { KubeObject } from '../lab/cluster/kubectl.ts'
import { toolsImage } from '../lab/cluster/images.ts'

/** A Pod of a node from which traffic is sent. */
export const clientPod = (name: string, nodeName: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    nodeName,
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'tools', image: toolsImage, command: ['sleep', '86400'] }],
  },
})
