import * as z from 'zod/mini'
import { UserError } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { some } from '../../lib/some.ts'
import { type Annotations, readAnnotations } from '../objects/annotations.ts'
import { mustBeDefaultTailnet } from '../objects/tailnet.ts'
import { mostReplicas } from '../proxy/readiness.ts'
import { issueTexts } from '../schemas/issues.ts'
import { recorder } from '../schemas/recorder.ts'

export type RecorderSpec = z.infer<typeof recorder.spec>

/** What a Recorder asks for, checked. */
export type Asked = {
  readonly spec: RecorderSpec
  /** The size and the StorageClass of a volume for each replica; without a size it is the Pod's own. */
  readonly volume: Annotations['volume']
  readonly volumeClass: Annotations['volumeClass']
  /** The name of each replica in the tailnet. */
  readonly hostnames: readonly string[]
}

/** With the number of a replica and the hash of a revision, a longer name would not fit into the labels of Pods. */
const longest = 52
const nameRule = /^[a-z]([a-z0-9-]*[a-z0-9])?$/

const invalid = (message: string, remedy: string): UserError => new UserError('RecorderInvalid', message, remedy)

/** @throws UserError that names what is wrong; its reason is that of the condition */
export function read(object: KubeObject): Asked {
  const { name } = object.metadata
  const { data: spec, error } = z.safeParse(recorder.spec, object['spec'])
  if (error !== undefined) throw invalid(some(issueTexts(error)), 'Correct the spec.')
  const { volume, volumeClass } = readAnnotations(object, 'RecorderInvalid')
  const { tailnet, replicas = 1, enableUI = false, storage } = spec
  mustBeDefaultTailnet(tailnet, 'Recorder', 'RecorderTailnetUnavailable')
  if (name.length > longest || !nameRule.test(name))
    throw invalid(
      `its name "${name}" cannot be used for Pods and Services`,
      `Choose one of ${longest} lower-case letters, digits and hyphens at most, that begins with a letter.`,
    )
  if (replicas > mostReplicas)
    throw invalid(`spec.replicas: ${replicas} are more than ${mostReplicas}`, 'Make several Recorders.')
  if (!enableUI && storage?.s3 === undefined && volume === undefined)
    throw invalid(
      'nobody could ever see its recordings',
      'Set spec.enableUI, spec.storage.s3, or the annotation culvert/volume.',
    )
  if (isUpstream(spec.statefulSet?.pod?.container?.image))
    throw invalid(
      'spec.statefulSet.pod.container.image is that of Tailscale’s recorder, which is a node of the tailnet itself',
      'Remove it: the operator’s settings have the image.',
    )
  const hostnames = Array.from({ length: replicas }, (_, ordinal) => `${name}-${ordinal}`)
  return { spec, volume, volumeClass, hostnames }
}

const isUpstream = (image = ''): boolean => /(^|\/)tsrecorder([:@]|$)/.test(image)
