import { hasAddress, type World } from '../world/world.ts'

/** Who answers for a service. */
export type Answerer =
  /** This Pod: the service leads here. */
  | { readonly from: 'here' }
  /** Another Pod; or none accepts connections, which this one does: it has just been asked for all this. */
  | { readonly from: 'elsewhere' }
  | { readonly from: 'nobody'; readonly problem: string }
  /** Nobody was heard, but this Pod is too busy to hear: it does not answer itself either. */
  | { readonly from: 'unclear'; readonly problem: string }

/** A header, and what it says in this Pod's own answers. */
export type Mark = { readonly header: string; readonly value: string }

/** By what this Pod's own answers are known; or why they would not be. */
export function ownMark(world: World): Mark | { readonly problem: string } {
  const { settings, mounted, daemon } = world
  const { healthPings } = mounted
  const { ipv4, ipv6 } = settings.pod
  if (ipv4 === '' && ipv6 === '') return { problem: 'POD_IPS does not give the Pod’s addresses' }
  if (!settings.endpoints.health) return { problem: 'TS_ENABLE_HEALTH_CHECK is not true' }
  if (healthPings?.content === undefined && healthPings?.rejected !== undefined)
    return { problem: healthPings.rejected }
  // There are no addresses in its answers then.
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

/** Services with a health URL, by name. */
export const askedServices = (world: World): string[] =>
  [...(world.mounted.egressServices?.content?.services ?? [])].flatMap(([name, { healthCheckEndpoint }]) =>
    healthCheckEndpoint === '' ? [] : [name],
  )

/** At most so many pings of a round are under way at a time. */
const together = 10

/**
 * One round: up to `pings` times, as the load balancer chooses anew each time, a third of them at a time: one for each
 * replica. It leads elsewhere only if all say so.
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

/** So many rounds in a row must lead elsewhere: of three replicas one is missed by all nine pings once in forty times. */
const enough = 2

/**
 * What a round means for a service, of which `elsewhere` rounds in a row, this one included, led elsewhere, and none
 * for `silentMs` led here. Silence is not taken for a route for ever: an endpoint that is dead, or a name that is gone,
 * would hold the Pod until it is killed. Nor at once: some networks do not let a Pod reach itself through a Service.
 */
export function assessDrain(
  heard: Answerer,
  { elsewhere, silentMs }: { readonly elsewhere: number; readonly silentMs: number },
  limitMs: number,
): 'waiting' | 'drained' | 'given up' {
  if (elsewhere >= enough) return 'drained'
  return heard.from === 'nobody' && silentMs >= limitMs ? 'given up' : 'waiting'
}

/** What is waited for, in words. */
export function inWords(heard: Answerer): string {
  if (heard.from === 'nobody' || heard.from === 'unclear') return heard.problem
  return heard.from === 'here' ? 'it leads here' : 'asked once more, to be sure'
}
