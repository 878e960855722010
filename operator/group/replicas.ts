import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { pods, secrets } from '../objects/resources.ts'
import { asksForAnother } from '../proxy/auth-key.ts'
import type { Device } from '../proxy/request.ts'
import { readDevice } from '../proxy/state.ts'
import { configSuffix } from '../proxy/surplus.ts'
import type { World } from '../world/world.ts'
import type { Group } from './group.ts'

/** What is known of one replica of a group; objects that do not exist are undefined. */
export type Replica = Device & {
  /** Of its Pod and its state Secret. */
  readonly name: string
  readonly state: KubeObject | undefined
  readonly config: KubeObject | undefined
  readonly pod: KubeObject | undefined
  /** Its Pod runs, has joined the tailnet, and forwards. */
  readonly isRunning: boolean
  /** It waits for another auth key. */
  readonly isAsking: boolean
}

/** All replicas that a group is to have, in their order. */
export function replicasOf(
  world: Pick<World, 'get'>,
  { name: group, replicas }: Pick<Group, 'name' | 'replicas'>,
  namespace: string,
): readonly Replica[] {
  return Array.from({ length: replicas }, (_, ordinal) => {
    const name = `${group}-${ordinal}`
    const key = keyOf({ namespace, name })
    const state = world.get(secrets, key)
    const pod = world.get(pods, key)
    const device = readDevice(ordinal, state, pod)
    return {
      ...device,
      name,
      state,
      config: world.get(secrets, `${key}${configSuffix}`),
      pod,
      isRunning: device.isCurrent && device.fqdn !== undefined,
      isAsking: asksForAnother(state),
    }
  })
}
