import type { KubeObject } from '../../../kube/controller/object.ts'
import type { RecorderSpec } from '../../../operator/recorder/request.ts'

export type Texts = Readonly<Record<string, string>>

/** A Recorder as a user applies it. */
export const made = (spec: RecorderSpec, name = 'rec', annotations: Texts = {}): KubeObject => ({
  apiVersion: 'tailscale.com/v1alpha1',
  kind: 'Recorder',
  metadata: { name, uid: 'uid-1', annotations },
  spec,
})

export const s3 = { endpoint: 's3.example.com', bucket: 'sessions', credentials: { secret: { name: 'keys' } } }
