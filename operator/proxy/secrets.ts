import type { Api } from '../../kube/controller/api.ts'
import type { Applier } from '../../kube/controller/apply.ts'
import type { Flight } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Clock } from '../../lib/clock.ts'
import type { TailscaleApi } from '../api/api.ts'
import { labelsOf, type Parent } from '../objects/parent.ts'
import { secrets } from '../objects/resources.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { World } from '../world/world.ts'
import { allowances } from './allowance.ts'
import { type Held, keyDescription, keyExpires, keyId, keyNeed } from './auth-key.ts'
import { deviceConfigs, serveFile } from './device-config.ts'
import { isMadeFor, mustBeOurs } from './owned.ts'
import type { ProxyRequest } from './request.ts'

/** What proxies need of Tailscale's API. */
export type Tailnet = Pick<TailscaleApi, 'mintKey' | 'removeKey' | 'removeDevice'>

export type SecretsOptions = {
  readonly api: Pick<Api, 'get'>
  readonly world: World
  readonly apply: Applier['apply']
  readonly tailnet: Tailnet
  readonly settings: OperatorSettings
  readonly clock: Clock
}

type Proxies = {
  readonly object: KubeObject
  readonly parent: Parent
  readonly name: string
  readonly request: ProxyRequest
  /** What its ProxyClass says of accepting routes. */
  readonly acceptRoutes: boolean
}

/** A key that is not used within this time is made anew, so that no old one lies around. */
const expirySeconds = 24 * 3600

/**
 * Gives what applies the Secrets of a parent's replicas: the config of each, with an auth key while it needs one. A key
 * is made just before the Secret is written, after a look at the Secret itself, since the cache may be behind.
 */
export function proxySecrets({ api, world, apply, tailnet, settings, clock }: SecretsOptions) {
  const reissues = allowances(clock)

  const mint = async (object: KubeObject, tags: readonly string[], signal: AbortSignal): Promise<Held> => {
    const all = tags.length > 0 ? tags : settings.proxyTags
    const wanted = { tags: all, description: keyDescription(object), expirySeconds }
    const { key, id, expires } = await tailnet.mintKey(wanted, signal)
    return { key, id, expires: expires ?? new Date(clock.date().getTime() + expirySeconds * 1000) }
  }

  const write = async (proxies: Proxies, ordinal: number, held: Held | undefined, flight: Flight): Promise<void> => {
    const secret = secretOf(proxies, ordinal, held, settings)
    await apply(secret, flight, { owns: (present) => isMadeFor(proxies.parent, present) })
  }

  /** Applies one; gives milliseconds after which it has to be looked at again. */
  const one = async (proxies: Proxies, ordinal: number, flight: Flight): Promise<number | undefined> => {
    const { object, parent, name, request } = proxies
    const at = { namespace: settings.namespace, name: `${name}-${ordinal}` }
    const now = clock.date()
    let need = keyNeed(world.get(secrets, `${at.namespace}/${at.name}`), now)
    if (need.need === 'mint') {
      const present = await api.get(secrets, at, flight.signal)
      mustBeOurs(parent, present)
      need = keyNeed(present, now)
    }
    if (need.need !== 'mint') {
      const held = need.need === 'keep' ? need.held : undefined
      await write(proxies, ordinal, held, flight)
      return held?.expires === undefined ? undefined : Math.max(1000, held.expires.getTime() - now.getTime())
    }
    if (need.isReissue) {
      const wait = reissues(object.metadata.uid ?? '', request.hostnames.length)
      if (wait > 0) return wait
    }
    // It could otherwise keep its name from the new one.
    if (need.instead !== undefined) await tailnet.removeDevice(need.instead, flight.signal)
    const held = await mint(object, request.tags, flight.signal)
    try {
      await write(proxies, ordinal, held, flight)
    } catch (error) {
      // Nobody will use it. The run may be over already; then it expires by itself.
      if (held.id !== undefined) await tailnet.removeKey(held.id, flight.signal).catch(() => {})
      throw error
    }
    return expirySeconds * 1000
  }

  return async (proxies: Proxies, flight: Flight): Promise<number | undefined> => {
    const waits: number[] = []
    for (const ordinal of proxies.request.hostnames.keys()) {
      const wait = await one(proxies, ordinal, flight)
      if (wait !== undefined) waits.push(wait)
    }
    return waits.length === 0 ? undefined : Math.min(...waits)
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
  const data = Object.fromEntries(
    Object.entries(texts).map(([file, text]) => [file, Buffer.from(text).toString('base64')]),
  )
  const annotations = {
    ...(held?.id !== undefined && { [keyId]: held.id }),
    ...(held?.expires !== undefined && { [keyExpires]: held.expires.toISOString() }),
  }
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: `${name}-${ordinal}`,
      namespace,
      labels: labelsOf(parent),
      ...(Object.keys(annotations).length > 0 && { annotations }),
    },
    data,
  }
}
