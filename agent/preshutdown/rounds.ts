import { hasAddress, type World } from '../world/world.ts'

/** Who answers for a service. */
export type Answerer =
  /** This Pod: the service routes here. */
  | { readonly from: 'here' }
  /** Another Pod; or nothing accepts connections, which this Pod would do. */
  | { readonly from: 'elsewhere' }
  | { readonly from: 'nobody'; readonly problem: string }
  /** No answer, but this Pod does not answer itself either: it is too busy to tell. */
  | { readonly from: 'unclear'; readonly problem: string }

/** A header and its value in this Pod's own answers. */
export type Mark = { readonly header: string; readonly value: string }

/** How this Pod's own answers are recognised; or why they cannot be. */
export function ownMark(world: World): Mark | { readonly problem: string } {
  const { settings, mounted, daemon } = world
  const { healthPings } = mounted
  const { ipv4, ipv6 } = settings.pod
  if (ipv4 === '' && ipv6 === '') return { problem: 'POD_IPS does not give the Pod’s addresses' }
  if (!settings.endpoints.health) return { problem: 'TS_ENABLE_HEALTH_CHECK is not true' }
  if (healthPings?.content === undefined && healthPings?.rejected !== undefined)
    return { problem: healthPings.rejected }
  // Then the answers have no address headers.
  if (daemon.phase !== 'running' || !hasAddress(world)) return { problem: 'the Pod itself is not healthy' }
  return ipv4 === '' ? { header: 'pod-ipv6', value: ipv6 } : { header: 'pod-ipv4', value: ipv4 }
}

/** Where this Pod answers itself; undefined without a listener. */
export function ownUrl({ settings }: World): URL | undefined {
  const { listen } = settings.endpoints
  if (listen === undefined) return undefined
  const everywhere = listen.host === '::' || listen.host === '0.0.0.0'
  return new URL(`http://${everywhere ? `127.0.0.1:${listen.port}` : listen.text}/healthz`)
}

/** Names of the services with a health URL. */
export const askedServices = (world: World): string[] =>
  [...(world.mounted.egressServices?.content?.services ?? [])].flatMap(([name, { healthCheckEndpoint }]) =>
    healthCheckEndpoint === '' ? [] : [name],
  )

/** Pings of one round that run at the same time, at most. */
const together = 10

/**
 * One round: up to `pings` requests, since the load balancer chooses again for each, a third of them at the same time
 * (there are usually three replicas). The service routes elsewhere only if all of them do.
 */
export async function round(ask: () => Promise<Answerer>, pings: number): Promise<Answerer> {
  const some = Math.min(Math.ceil(pings / 3), together)
  for (let asked = 0; asked < pings; asked += some) {
    const heard = await Promise.all(Array.from({ length: Math.min(some, pings - asked) }, ask))
    const end = heard.find(({ from }) => from === 'here') ?? heard.find(({ from }) => from === 'nobody')
    if (end !== undefined) return end
  }
  return { from: 'elsewhere' }
}

/**
 * Rounds in a row that must find the service elsewhere: with three replicas, nine pings miss one of them once in 40
 * rounds.
 */
const enough = 2

/**
 * The verdict on a service after a round: `elsewhere` rounds in a row, this one included, found it elsewhere, and for
 * `silentMs` none found it here. Silence does not count as a route forever: a dead endpoint or a removed name would
 * hold the Pod until it is killed. But not at once: on some networks a Pod cannot reach itself through a Service.
 */
export function assessDrain(
  heard: Answerer,
  { elsewhere, silentMs }: { readonly elsewhere: number; readonly silentMs: number },
  limitMs: number,
): 'waiting' | 'drained' | 'given up' {
  if (elsewhere >= enough) return 'drained'
  return heard.from === 'nobody' && silentMs >= limitMs ? 'given up' : 'waiting'
}

/** Why a service is still waited for, in words. */
export function inWords(heard: Answerer): string {
  if (heard.from === 'nobody' || heard.from === 'unclear') return heard.problem
  return heard.from === 'here' ? 'it routes here' : 'asking once more, to be sure'
}
