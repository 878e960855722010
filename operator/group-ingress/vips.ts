import type { Clock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import type { TailscaleApi, TailscaleService } from '../api/api.ts'
import { ApiError } from '../api/error.ts'
import type { Parent } from '../objects/parent.ts'
import type { Identity } from './identity.ts'
import { claim, ownersOf, release, type Sole, type Wish } from './owners.ts'

/** What is needed of Tailscale's API. */
export type ServiceApi = Pick<TailscaleApi, 'getService' | 'listServices' | 'putService' | 'removeService'>

/** A Tailscale Service that this operator is an owner of, or why it is not; and in how many ms to look again. */
export type Claimed =
  | { readonly service: TailscaleService; readonly differs: readonly string[]; readonly again: number }
  | { readonly refused: string; readonly again: number }

export type Vips = {
  /**
   * Makes a Tailscale Service as wished, with this operator among its owners. What is known of it is used for some
   * minutes, so that it costs nothing to ask again.
   * @throws ApiError if that fails
   */
  readonly claim: (wish: Wish, signal: AbortSignal) => Promise<Claimed>
  /**
   * Takes this operator from the owners, and removes the Service if it was the last one. `only`: the object that had it
   * alone.
   * @throws ApiError
   */
  readonly release: (name: string, signal: AbortSignal, only?: Pick<Sole, 'kind' | 'name'>) => Promise<void>
  /** Whether operators of other clusters own it, too, as the tailnet says now; true if it does not answer. */
  readonly isShared: (name: string, signal: AbortSignal) => Promise<boolean>
  /** All of the tailnet. @throws ApiError */
  readonly list: (signal: AbortSignal) => Promise<readonly TailscaleService[]>
}

type Options = {
  readonly api: ServiceApi
  readonly identity: (signal: AbortSignal) => Promise<Identity>
  readonly clock: Clock
  /** [0, 1) */
  readonly random?: () => number
}

/** Milliseconds, of which a random number is chosen, so that operators do not meet. */
type Range = readonly [least: number, most: number]

type Known = { readonly service: TailscaleService | undefined; readonly due: number }

/** After a change, others may have made one at the same time that replaced it: so soon it is looked at again. */
const soonMs: Range = [10_000, 15_000]
/** Later, for what others do: a Service that is removed by hand. */
const laterMs: Range = [300_000, 540_000]
/** What is refused may be given up by its owner. */
const refusedMs: Range = [60_000, 90_000]

/** How often others may change a Service just between a look at it and the change. */
const mostAttempts = 5

/**
 * The tailnet's Services, as far as this operator shares them with those of other clusters. The API has no comparison
 * in its writes; so what was written is read again, at once and after some seconds, and written again if it is not so.
 */
export function vips({ api, identity, clock, random = Math.random }: Options): Vips {
  const known = new Map<string, Known>()
  let listing: Promise<readonly TailscaleService[]> | undefined

  const within = ([least, most]: Range): number => Math.round(least + (most - least) * random())
  /** One without addresses is about to get them. */
  const remember = (name: string, service: TailscaleService | undefined, range: Range = laterMs): void => {
    const isComplete = service === undefined || service.addrs.length > 0
    known.set(name, { service, due: clock.now() + within(isComplete ? range : soonMs) })
  }

  const fetch = async (name: string, signal: AbortSignal): Promise<TailscaleService | undefined> => {
    const service = await api.getService(name, signal)
    remember(name, service)
    return service
  }

  /** One list serves all that wait for it. */
  const list: Vips['list'] = async (signal) => {
    listing ??= api
      .listServices(signal)
      .then((all) => {
        const present = new Map(all.map((service) => [service.name, service]))
        // Whoever asks for one that is not there remembers that.
        for (const name of known.keys()) if (!present.has(name)) known.delete(name)
        for (const [name, service] of present) remember(name, service)
        return all
      })
      .finally(() => (listing = undefined))
    return listing
  }

  /** What is known, if that is not too old; a list is one call for all. */
  const look = async (name: string, signal: AbortSignal): Promise<TailscaleService | undefined> => {
    const one = known.get(name)
    if (one !== undefined && clock.now() < one.due) return one.service
    await list(signal)
    if (!known.has(name)) remember(name, undefined)
    return known.get(name)?.service
  }

  const again = (name: string): number => Math.max(1000, (known.get(name)?.due ?? 0) - clock.now())

  const settled = (wish: Wish, present: TailscaleService | undefined, who: Identity): Claimed | undefined => {
    const { name } = wish
    const next = claim(present, wish, who)
    if (next.do === 'put') return undefined
    if (next.do === 'nothing') return { service: next.service, differs: next.differs, again: again(name) }
    return { refused: next.why, again: again(name) }
  }

  return {
    list,
    isShared: async (name, signal) => {
      try {
        const service = await fetch(name, signal)
        return service !== undefined && ownersOf(service).length > 1
      } catch (error) {
        if (!(error instanceof ApiError)) throw error
        return !hasNone(error)
      }
    },
    claim: async (wish, signal) => {
      const who = await identity(signal)
      const { name } = wish
      const before = settled(wish, await look(name, signal), who)
      if (before !== undefined) return before
      for (let attempt = 1; attempt <= mostAttempts; attempt += 1) {
        const present = await fetch(name, signal)
        const next = claim(present, wish, who)
        if (next.do === 'refuse') remember(name, present, refusedMs)
        const fresh = settled(wish, present, who)
        if (fresh !== undefined) return fresh
        if (next.do !== 'put') continue
        const after = await api.putService(next.service, signal).catch((error: unknown) => {
          if (present !== undefined || !(error instanceof ApiError) || error.status !== 409) throw error
          return { refused: `${name} cannot be made while a device of the tailnet is called so: ${describe(error)}` }
        })
        if ('refused' in after) return { ...after, again: within(soonMs) }
        remember(name, after, soonMs)
        const done = settled(wish, after, who)
        if (done !== undefined) return done
        await clock.sleep(within([200, 1000]), signal)
      }
      throw changing(name)
    },
    release: async (name, signal, only) => {
      const who = await identity(signal)
      for (let attempt = 1; attempt <= mostAttempts; attempt += 1) {
        const next = release(await fetch(name, signal), who, only)
        if (next.do === 'nothing') return
        if (next.do === 'remove') {
          await api.removeService(name, signal)
          known.delete(name)
          return
        }
        remember(name, await api.putService(next.service, signal), soonMs)
      }
      throw changing(name)
    },
  }
}

const changing = (name: string): ApiError =>
  new ApiError(`${name} is changed by others again and again`, { problem: 'unavailable' })

/** Whether a failure means that the control server has no Tailscale Services at all. */
export const hasNone = (error: unknown): error is ApiError =>
  error instanceof ApiError && error.lacks === 'vip-services'

/** What is told of a failure. */
export function told(error: ApiError, { type }: Pick<Parent, 'type'>): string {
  if (!hasNone(error)) return describe(error)
  return type === 'proxygroup'
    ? `${without}, which the API server proxy of a ProxyGroup needs: Headscale does not`
    : `${without}, which ingress through a ProxyGroup needs: Headscale does not. Without the annotation tailscale.com/proxy-group it has a proxy of its own`
}

const without = 'the control server has no Tailscale Services'
