import type { Clock } from '../lib/clock.ts'
import type { JsonObject } from '../lib/json.ts'
import type { Bodies } from './bodies.ts'
import { completeEvent } from './event.ts'
import { eventKey } from './keys.ts'
import type { AskPeer, Peer } from './peers.ts'
import { Recording, storing } from './recording.ts'
import { asRefused, Refused } from './refused.ts'
import { answer, type Reply } from './reply.ts'
import type { Incoming } from './servers.ts'
import type { Store, Stored } from './store/store.ts'
import { noWords, receive, type Request, type Words, wordsOf } from './upload.ts'
import type { Uploads } from './uploads.ts'

export type Parts = {
  readonly askPeer: AskPeer
  readonly store: Pick<Store, 'begin' | 'put'>
  readonly uploads: Uploads
  readonly bodies: Bodies
  /** An event was stored. */
  readonly eventStored: (stored: Stored, event: JsonObject) => void
  readonly clock: Clock
  /** Aborts with a Refused when no more time is given to what is open. */
  readonly stop: AbortSignal
  /** Why nothing new is taken, if that is so. */
  readonly refusal: () => Refused | undefined
  /** How large a recording may become. */
  readonly mostBytes: number
  readonly refused: (refused: Refused, peer: Peer | undefined) => void
}

/** Answers one request. Resolves when it is over, and never rejects. */
export async function exchange(incoming: Incoming, parts: Parts): Promise<void> {
  const { request, reply, origin } = incoming
  let peer: Peer | undefined
  try {
    const route = routeOf(request)
    peer = await parts.askPeer(origin)
    const refusal = parts.refusal()
    if (refusal) throw refusal
    if (request.method === 'HEAD') return answer(reply, 200)
    await route({ ...incoming, peer }, parts)
  } catch (error) {
    const refused = asRefused(error)
    parts.refused(refused, peer)
    refuse(reply, refused)
  }
}

type Known = Incoming & { readonly peer: Peer }
type Route = (incoming: Known, parts: Parts) => Promise<void>

/** What is there, by method and path; versions are of HTTP. */
const routes: readonly { readonly path: string; readonly methods: string; readonly from: 1 | 2; readonly to: Route }[] =
  [
    { path: '/v2/record', methods: 'HEAD, POST', from: 2, to: (incoming, parts) => record(incoming, parts, second) },
    { path: '/record', methods: 'POST', from: 1, to: (incoming, parts) => record(incoming, parts, first) },
    { path: '/v2/event', methods: 'HEAD, POST', from: 1, to: takeEvent },
  ]

function routeOf({ url, method = '', httpVersionMajor }: Request): Route {
  const route = routes.find(({ path }) => path === (url ?? '').replace(/\?.*/s, ''))
  if (!route) throw new Refused(404, 'malformed', 'there is nothing at this path')
  if (!route.methods.split(', ').includes(method)) throw new Refused(405, 'malformed', `use ${route.methods}`)
  if (httpVersionMajor < route.from) throw new Refused(426, 'malformed', 'use HTTP/2, with prior knowledge')
  return route.to
}

/** How a version of the protocol says that a recording can be sent, and that all of it is stored. */
type Version = {
  readonly begin: (incoming: Incoming) => Words
  readonly end: (reply: Reply, bytes: number) => void
}

const first: Version = {
  begin: ({ proceed }) => {
    proceed()
    return noWords
  },
  end: (reply) => answer(reply, 200),
}
const second: Version = {
  begin: ({ reply }) => {
    reply.begin(200, { 'content-type': 'application/json' })
    const words = wordsOf(reply)
    words.acknowledge(0)
    return words
  },
  end: (reply, bytes) => {
    wordsOf(reply).acknowledge(bytes)
    reply.end()
  },
}

/** Takes a recording; nothing is said to be stored before it is. */
async function record(
  incoming: Known,
  { store, uploads, clock, stop, mostBytes }: Parts,
  version: Version,
): Promise<void> {
  const { request, reply, peer } = incoming
  const recording = await Recording.begin(store, peer.id, clock, mostBytes)
  const upload = uploads.begin(recording, peer)
  try {
    await receive(request, recording, version.begin(incoming), { clock, stop, begun: upload.begun })
    upload.ended(await recording.complete(clock.date()))
    version.end(reply, recording.acknowledged)
  } catch (error) {
    const refused = asRefused(error)
    upload.ended(await recording.cut(refused.message, clock.date()).catch(upload.failed), refused)
    throw refused
  }
}

async function takeEvent({ request, reply, peer, proceed }: Known, parts: Parts): Promise<void> {
  proceed()
  const now = parts.clock.date()
  const key = eventKey(peer.id, now)
  await parts.bodies.take(request, async (text) => {
    const { event, bytes } = completeEvent(text, key, peer)
    await storing(() => parts.store.put(key, bytes))
    parts.eventStored({ key, bytes: bytes.length, modified: now }, event)
  })
  answer(reply, 200)
}

/** Says why something was refused: as an answer, or as the last word of one that has begun. */
function refuse(reply: Reply, { status, message }: Refused): void {
  if (!reply.hasBegun()) return answer(reply, status, `culvert: ${message}\n`)
  reply.say(`${JSON.stringify({ error: message })}\n`)
  reply.end()
}
