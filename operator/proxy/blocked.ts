import * as z from 'zod/mini'
import type { Api } from '../../kube/controller/api.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { optional } from '../../lib/json.ts'
import type { Refused } from '../kind.ts'
import { events } from '../objects/resources.ts'
import type { World } from '../world/world.ts'
import { podsOf } from './seen.ts'
import { isStarting, troubleOf } from './trouble.ts'

const schema = z.object({
  type: optional(z.string()),
  message: optional(z.string()),
  lastTimestamp: optional(z.string()),
  eventTime: optional(z.string()),
})
type Said = z.infer<typeof schema>

/** Nothing tells when there are new Events but another look. */
const againMs = 15_000
/** How long a Pod may take to start before its Events are looked at. */
const usualMs = 5000

const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /volume "tun" : hostPath type check failed/,
    'Load the kernel module tun on that node, or let a ProxyClass choose other nodes; L3 ingress does without it with the annotation culvert/unprivileged',
  ],
  [/exceeded quota/, 'Raise the quota, or let a ProxyClass ask for less'],
  [/violates PodSecurity/, 'Label the namespace pod-security.kubernetes.io/enforce: privileged'],
  [
    /admission webhook|ValidatingAdmissionPolicy/,
    'Let it admit these Pods, or give them by a ProxyClass what it wants',
  ],
]

/**
 * What keeps the Pods of a StatefulSet from running, if that is known: a quota or an admission that refuses them, a
 * scheduler that finds no node, an image that cannot be pulled, a volume that the node does not have. `again`:
 * milliseconds after which to look again.
 */
export async function blockedBy(
  api: Pick<Api, 'page'>,
  world: World,
  set: KubeObject,
  replicas: number,
  signal: AbortSignal,
  now: Date = new Date(),
): Promise<{ readonly refused?: Refused; readonly again?: number }> {
  const present = podsOf(world, set, replicas)
  const trouble = present.map(troubleOf).find((text) => text !== undefined)
  if (trouble !== undefined) return { refused: notStarted(trouble) }
  const starting = present.find(isStarting)
  const left = starting && Date.parse(starting.metadata.creationTimestamp ?? '') + usualMs - now.getTime()
  if (starting !== undefined && left! <= 0) {
    const warning = warningOf(await saidOf(api, starting, signal))
    const text = `Pod ${starting.metadata.name} does not start: ${warning}`
    if (warning !== undefined) return { refused: notStarted(text), again: againMs }
  }
  if (present.length < replicas) {
    const failure = warningOf(await saidOf(api, set, signal))
    if (failure === undefined) return { again: againMs }
    return { refused: { as: 'failed', reason: 'ProxyPodRefused', message: failure }, again: againMs }
  }
  if (left === undefined) return {}
  return { again: left > 0 ? Math.min(left, usualMs) : againMs }
}

const notStarted = (message: string): Refused => ({ as: 'pending', reason: 'ProxyPodNotStarted', message })

/** The Events about an object, the latest first. */
async function saidOf(api: Pick<Api, 'page'>, { metadata }: KubeObject, signal: AbortSignal): Promise<readonly Said[]> {
  const { namespace = '', uid = '' } = metadata
  const scope = { namespace, fields: `involvedObject.uid=${uid}` }
  const { objects } = await api.page(events, { scope, limit: 100 }, signal)
  return objects
    .flatMap((event) => z.safeParse(schema, event).data ?? [])
    .toSorted((one, other) => (timeOf(one) < timeOf(other) ? 1 : -1))
}

const timeOf = ({ lastTimestamp, eventTime }: Said): string => lastTimestamp ?? eventTime ?? ''

/**
 * What is wrong, with the remedy, unless something has gone well since. What has a remedy goes first: of a missing
 * volume, later Events have no details.
 */
export function warningOf(said: readonly Said[]): string | undefined {
  const well = said.find(({ type }) => type === 'Normal')
  const since = well === undefined ? '' : timeOf(well)
  const warnings = said.filter((one) => one.type === 'Warning' && timeOf(one) >= since)
  const messages = warnings.flatMap(({ message }) => message ?? [])
  const message = messages.find((text) => remedyFor(text) !== undefined) ?? messages[0]
  if (message === undefined) return undefined
  const remedy = remedyFor(message)
  // The ID of a sandbox is different each time.
  const stable = message.replaceAll(/\b[0-9a-f]{32,}\b/g, '…')
  return remedy === undefined ? stable : `${stable}. ${remedy}.`
}

const remedyFor = (message: string): string | undefined => remedies.find(([pattern]) => pattern.test(message))?.[1]
