import type { World } from '../world.ts'

/** Who answers for a service. */
export type Heard =
  /** This Pod: the service leads here. */
  | { readonly from: 'here' }
  /** Another Pod; or none accepts connections, which this one does: it has just been asked for all this. */
  | { readonly from: 'elsewhere' }
  | { readonly from: 'nobody'; readonly problem: string }

/** The header by which the answers of this Pod are known; undefined when its addresses are not. */
export function ownMark({ settings: { pod } }: World): { readonly header: string; readonly value: string } | undefined {
  if (pod.ipv4 !== '') return { header: 'pod-ipv4', value: pod.ipv4 }
  return pod.ipv6 === '' ? undefined : { header: 'pod-ipv6', value: pod.ipv6 }
}

/** Why answers would tell nothing; undefined when they can be judged. */
export function cannotTell(world: World): string | undefined {
  if (ownMark(world) === undefined) return 'POD_IPS does not give the Pod’s addresses'
  if (!world.settings.endpoints.health) return 'TS_ENABLE_HEALTH_CHECK is not true, so that this Pod does not answer'
  const { content, rejected } = world.healthPings ?? {}
  return content === undefined && rejected !== undefined ? rejected : undefined
}

/** Services with a health URL, by name. */
export const askedServices = (world: World): string[] =>
  [...(world.egressServices?.content?.services ?? [])].flatMap(([name, { healthCheckEndpoint }]) =>
    healthCheckEndpoint === '' ? [] : [name],
  )

/** At most so many pings of a round are under way at a time. */
const together = 10

/**
 * One round: up to `pings` times, as the load balancer chooses anew each time, a third of them at a time: one for each
 * replica. It leads elsewhere only if all say so.
 */
export async function round(ask: () => Promise<Heard>, pings: number): Promise<Heard> {
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
export function judge(
  heard: Heard,
  { elsewhere, silentMs }: { readonly elsewhere: number; readonly silentMs: number },
  limitMs: number,
): 'waiting' | 'drained' | 'given up' {
  if (elsewhere >= enough) return 'drained'
  return heard.from === 'nobody' && silentMs >= limitMs ? 'given up' : 'waiting'
}

/** What is waited for, in words. */
export function inWords(heard: Heard): string {
  if (heard.from === 'nobody') return heard.problem
  return heard.from === 'here' ? 'it leads here' : 'asked once more, to be sure'
}
