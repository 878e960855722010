import type { Api } from '../../kube/controller/api.ts'
import type { Applier } from '../../kube/controller/apply.ts'
import type { Flight } from '../../kube/controller/controller.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { secrets } from '../objects/resources.ts'
import { type Keyed, keying, type KeyingOptions } from '../proxy/keying.ts'
import { isMadeFor, isOurs, mustBeOurs } from '../proxy/owned.ts'
import { configSecret } from '../proxy/secrets.ts'
import { configSuffix } from '../proxy/surplus.ts'
import { secretMetadata, stateSecret } from './children.ts'
import { configFile, deviceConfig, type FromClass } from './device-config.ts'
import { parentOfGroup } from './group.ts'
import type { GroupUse, GroupView } from './use.ts'

export type ConfigsOptions = KeyingOptions & {
  readonly api: Pick<Api, 'get'>
  readonly apply: Applier['apply']
  /**
   * Has Kubernetes not remove a Secret together with the ProxyGroup: Tailscale's operator wants that, but a node can
   * only be removed while its Secret is there.
   */
  readonly disown: (secret: KubeObject, flight: Flight) => Promise<unknown>
}

/** Gives what applies the Secrets of one replica of a group: that of its state, and its config. */
export function replicaSecrets(options: ConfigsOptions) {
  const { api, apply, disown } = options
  const provide = keying(options)

  /** Gives milliseconds after which the replica has to be looked at again. */
  return async (
    view: GroupView,
    use: GroupUse,
    ordinal: number,
    fromClass: FromClass,
    flight: Flight,
  ): Promise<number | undefined> => {
    const { group, world, settings } = view
    const { namespace, loginServer } = settings
    const parent = parentOfGroup(group.name)
    const owns = { owns: (present: KubeObject) => isOurs(parent, present) }
    const state = { namespace, name: `${group.name}-${ordinal}` }
    const config = { namespace, name: `${state.name}${configSuffix}` }
    const get = async (at: typeof state, signal: AbortSignal): Promise<KubeObject | undefined> => {
      const present = await api.get(secrets, at, signal)
      mustBeOurs(parent, present)
      return present
    }
    const cached = { config: world.get(secrets, keyOf(config)), state: world.get(secrets, keyOf(state)) }
    for (const one of Object.values(cached)) {
      if (one !== undefined && isMadeFor(parent, one) && one.metadata.ownerReferences !== undefined)
        await disown(one, flight)
    }
    await apply(stateSecret(group, ordinal, namespace), flight, owns)
    const keyed: Keyed = {
      parent: group.object,
      replicas: group.replicas,
      tags: group.tags,
      cached,
      present: async (signal) => ({ config: await get(config, signal), state: await get(state, signal) }),
      write: async (held, written) => {
        const text = deviceConfig({
          ...fromClass,
          loginServer,
          hostname: group.hostnames[ordinal] ?? '',
          authKey: held?.key,
          more: use.device?.(view, ordinal) ?? {},
        })
        const metadata = secretMetadata(group, ordinal, namespace, 'config')
        await apply(configSecret(metadata, { [configFile]: text }, held), written, owns)
      },
    }
    return provide(keyed, flight)
  }
}
