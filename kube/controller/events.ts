import { type Clock, systemClock } from '../../lib/clock.ts'
import { describe } from '../../lib/errors.ts'
import { isTerminating } from '../error.ts'
import type { Api } from './api.ts'
import { keyOf, type KubeObject } from './object.ts'
import type { Resource } from './resource.ts'

export type Event = {
  readonly type: 'Normal' | 'Warning'
  /** One word, for programs. */
  readonly reason: string
  readonly message: string
}

export type EventsOptions = {
  /** The program that reports, as `kubectl describe` shows it. */
  readonly component: string
  /** Called with the reason why Events cannot be written, when that changes, and with undefined once they can. */
  readonly problem: (text: string | undefined) => void
  readonly clock?: Clock
}

const events: Resource = { group: '', version: 'v1', kind: 'Event', plural: 'events', namespaced: true }

/** The API accepts no longer text. */
const longestMessage = 1024
/** Different Events that an object may have at once, and the milliseconds after which it may have one more. */
const most = 25
const refillMs = 300_000
/** What is said again this soon is counted, and written with what comes later. */
const quietMs = 60_000
/** Events of which is remembered that they were written; the API keeps them for an hour. */
const remembered = 4096
const rememberedMs = 3_000_000

type Said = {
  readonly name: string
  readonly first: Date
  /** When it was written last. */
  written: number
  count: number
}

/**
 * Tells users what happened to an object, as Events. What is the same for the same object is one Event with a count.
 * An object gets at most 25 different ones in a row and one in five minutes after that. Never throws, and nothing waits
 * for it: an Event that cannot be written is dropped.
 */
export function eventWriter(
  api: Pick<Api, 'create' | 'patch'>,
  { component, problem, clock = systemClock }: EventsOptions,
  signal: AbortSignal,
): (about: KubeObject, event: Event) => Promise<void> {
  const said = new Map<string, Said>()
  const allowances = new Map<string, { left: number; at: number }>()
  let counter = 0
  let told: string | undefined

  const isAllowed = (object: string): boolean => {
    const now = clock.now()
    const before = allowances.get(object) ?? { left: most, at: now }
    const left = Math.min(most, before.left + (now - before.at) / refillMs)
    allowances.delete(object)
    allowances.set(object, { left: left >= 1 ? left - 1 : left, at: now })
    forgetOldest(allowances)
    return left >= 1
  }

  const write = async (action: () => Promise<unknown>): Promise<boolean> => {
    let text: string | undefined
    try {
      await action()
    } catch (error) {
      // Nobody will look for it.
      if (signal.aborted || isTerminating(describe(error))) return false
      text = describe(error)
    }
    if (text !== told) problem(text)
    told = text
    return text === undefined
  }

  return async (about, { type, reason, message }) => {
    const { apiVersion, kind, metadata } = about
    const object = `${kind} ${keyOf(metadata)} ${metadata.uid}`
    const key = `${object} ${type} ${reason} ${message}`
    const namespace = metadata.namespace ?? 'default'
    const before = said.get(key)
    const at = clock.date()
    const times = (first: Date) => ({ firstTimestamp: first.toISOString(), lastTimestamp: at.toISOString() })
    if (before !== undefined && clock.now() - before.written < rememberedMs) {
      before.count += 1
      if (clock.now() - before.written < quietMs) return
      before.written = clock.now()
      const body = { count: before.count, ...times(before.first) }
      const patch = { type: 'merge', body, manager: component } as const
      // It may have been deleted; then it is written as a new one the next time.
      if (!(await write(() => api.patch(events, { name: before.name, namespace }, patch, signal)))) said.delete(key)
      return
    }
    if (!isAllowed(object)) return
    const name = `${metadata.name.slice(0, 200)}.${at.getTime().toString(16)}${(counter += 1).toString(16)}`
    said.delete(key)
    said.set(key, { name, first: at, written: clock.now(), count: 1 })
    forgetOldest(said)
    const { name: aboutName, namespace: within, uid, resourceVersion } = metadata
    const made: KubeObject = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: { apiVersion, kind, name: aboutName, namespace: within, uid, resourceVersion },
      type,
      reason,
      message: message.slice(0, longestMessage),
      source: { component },
      count: 1,
      ...times(at),
    }
    if (!(await write(() => api.create(events, made, signal)))) said.delete(key)
  }
}

function forgetOldest(map: Map<string, unknown>): void {
  const [oldest] = map.keys()
  if (map.size > remembered && oldest !== undefined) map.delete(oldest)
}
