import type { Api } from '../../kube/controller/api.ts'
import type { Applier } from '../../kube/controller/apply.ts'
import type { Flight } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { labelsOf, type Parent } from '../objects/parent.ts'
import { secrets } from '../objects/resources.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import { type Held, keyExpires, keyId } from './auth-key.ts'
import { deviceConfigs, serveFile } from './device-config.ts'
import { forEach, soonest } from './each.ts'
import { type Keyed, keying, type KeyingOptions } from './keying.ts'
import { isOurs, mustBeOurs } from './owned.ts'
import type { ProxyRequest } from './request.ts'

export type SecretsOptions = KeyingOptions & {
  readonly api: Pick<Api, 'get'>
  readonly world: World
  readonly apply: Applier['apply']
  readonly settings: OperatorSettings
}

type Proxies = {
  readonly object: KubeObject
  readonly parent: Parent
  readonly name: string
  readonly request: ProxyRequest
  /** What its ProxyClass says of accepting routes. */
  readonly acceptRoutes: boolean
}

/** Gives what applies the Secrets of a parent's replicas: the config of each, with an auth key while it needs one. */
export function proxySecrets(options: SecretsOptions) {
  const { api, world, apply, settings } = options
  const provide = keying(options)

  /** Applies one; gives milliseconds after which it has to be looked at again. */
  const one = (proxies: Proxies, ordinal: number, flight: Flight): Promise<number | undefined> => {
    const { object, parent, name, request } = proxies
    const at = { namespace: settings.namespace, name: `${name}-${ordinal}` }
    const both = (secret: KubeObject | undefined) => ({ config: secret, state: secret })
    const keyed: Keyed = {
      parent: object,
      replicas: request.hostnames.length,
      tags: request.tags.length > 0 ? request.tags : settings.proxyTags,
      cached: both(world.get(secrets, `${at.namespace}/${at.name}`)),
      present: async (signal) => {
        const present = await api.get(secrets, at, signal)
        mustBeOurs(parent, present)
        return both(present)
      },
      write: async (held, written) => {
        const secret = secretOf(proxies, ordinal, held, settings)
        await apply(secret, written, { owns: (present) => isOurs(parent, present) })
      },
    }
    return provide(keyed, flight)
  }

  return async (proxies: Proxies, flight: Flight): Promise<number | undefined> => {
    const waits = await forEach(proxies.request.hostnames.keys(), (ordinal) => one(proxies, ordinal, flight))
    return soonest(waits)
  }
}

/** The Secret of a replica, as far as the operator writes it: the agent and tailscaled have keys of their own in it. */
export function secretOf(
  { parent, name, request, acceptRoutes }: Omit<Proxies, 'object'>,
  ordinal: number,
  held: Held | undefined,
  { namespace, loginServer }: Pick<OperatorSettings, 'namespace' | 'loginServer'>,
): KubeObject {
  const { device, serveConfig } = request
  const configs = deviceConfigs({
    loginServer,
    hostname: request.hostnames[ordinal] ?? '',
    acceptRoutes: device.acceptRoutes ?? acceptRoutes,
    authKey: held?.key,
    device,
  })
  const texts = { ...configs, ...(serveConfig !== undefined && { [serveFile]: JSON.stringify(serveConfig) }) }
  return configSecret({ name: `${name}-${ordinal}`, namespace, labels: labelsOf(parent) }, texts, held)
}

/** A Secret with files of a config. What is known of the auth key in them is in its annotations. */
export function configSecret(
  metadata: KubeObject['metadata'],
  files: Readonly<Record<string, string>>,
  held: Held | undefined,
): KubeObject {
  const annotations = {
    ...(held?.id !== undefined && { [keyId]: held.id }),
    ...(held?.expires !== undefined && { [keyExpires]: held.expires.toISOString() }),
  }
  const data = Object.entries(files).map(([file, text]) => [file, Buffer.from(text).toString('base64')])
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { ...metadata, ...(Object.keys(annotations).length > 0 && { annotations }) },
    data: Object.fromEntries(data),
  }
}
