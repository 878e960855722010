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

/** One round: asks up to `pings` times, as the load balancer chooses anew each time; elsewhere only if all say so. */
export async function round(ask: () => Promise<Heard>, pings: number): Promise<Heard> {
  for (let ping = 0; ping < pings; ping += 1) {
    const heard = await ask()
    if (heard.from !== 'elsewhere') return heard
  }
  return { from: 'elsewhere' }
}

/**
 * What a round means for a service that has not been seen to lead here for `silentMs`. Silence is not taken for a route
 * for ever: an endpoint that is dead, or a name that is gone, would hold the Pod until it is killed. Nor at once: some
 * networks do not let a Pod reach itself through a Service.
 */
export function judge(heard: Heard, silentMs: number, limitMs: number): 'waiting' | 'drained' | 'given up' {
  if (heard.from === 'elsewhere') return 'drained'
  return heard.from === 'nobody' && silentMs >= limitMs ? 'given up' : 'waiting'
}
