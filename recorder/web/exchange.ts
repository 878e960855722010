import type { Clock } from '../../lib/clock.ts'
import { codeOf } from '../../lib/errors.ts'
import type { Entry } from '../index/entry.ts'
import type { Index } from '../index/index.ts'
import { readEvent } from '../index/request.ts'
import type { AskPeer, Peer } from '../peers.ts'
import { storing } from '../recording.ts'
import { asRefused, Refused } from '../refused.ts'
import type { Reply } from '../reply.ts'
import type { Incoming } from '../servers.ts'
import type { Opened, Store } from '../store/store.ts'
import type { Uploads } from '../uploads.ts'
import { answer } from './answer.ts'
import type { Asset, Served } from './assets.ts'
import { mayOf } from './capability.ts'
import { sendFile } from './files.ts'
import { readForm } from './form.ts'
import { isForeign, withPlayer } from './headers.ts'
import { html } from './html.ts'
import { listPage } from './list.ts'
import type { Nodes } from './nodes.ts'
import { type Frame, isoOf, page } from './page.ts'
import { requestPage } from './request.ts'
import { type Beside, sessionPage } from './session.ts'

/** How many are on one page of a list, and beside a session. */
const [perPage, besideMost] = [50, 20]

export type Parts = {
  readonly askPeer: AskPeer
  readonly askNodes: () => Promise<Nodes>
  readonly index: Index
  readonly requests: Index
  /** Whether both have all that is stored. */
  readonly isComplete: () => boolean
  readonly store: Pick<Store, 'open'>
  readonly uploads: Pick<Uploads, 'find'>
  readonly served: Served
  readonly clock: Pick<Clock, 'date'>
  /** Something was answered with this status. */
  readonly answered: (status: number) => void
  /** Somebody has read a recording or a request, or what follows a part of it. */
  readonly read: (key: string, by: Peer, follows?: boolean) => void
  readonly refused: (refused: Refused) => void
}

/** Answers one request of a browser. Resolves when it is over, and never rejects. */
export async function browse(incoming: Incoming, parts: Parts): Promise<void> {
  const { reply } = incoming
  try {
    const target = targetOf(incoming)
    const asset = parts.served.files.get(target.pathname)
    if (asset) return sendAsset(reply, asset, parts)
    const visit = await admit(incoming, target, parts)
    await routeOf(visit.path)(visit, parts)
  } catch (error) {
    const refused = asRefused(error)
    parts.refused(refused)
    // An answer that has begun cannot become another one.
    if (reply.hasBegun()) reply.break()
    else refuse(reply, refused, parts)
  }
}

/** Somebody who may see something. */
type Visit = Incoming & {
  readonly peer: Peer
  readonly frame: Frame
  readonly path: string
  readonly query: URLSearchParams
  readonly nodes: Nodes
  readonly may: (entry: Entry) => boolean
}

function targetOf({ request }: Incoming): URL {
  const url = URL.parse(request.url ?? '', 'http://recorder')
  if (url === null) throw new Refused(400, 'malformed', 'this is no address of a page')
  if (request.method !== 'GET' && request.method !== 'HEAD') throw new Refused(405, 'malformed', 'use GET')
  if (isForeign(request.headers)) throw new Refused(403, 'foreign-page', 'this is not for pages of other sites')
  return url
}

async function admit(incoming: Incoming, target: URL, { askPeer, askNodes, served }: Parts): Promise<Visit> {
  const peer = await askPeer(incoming.origin)
  const may = mayOf(peer)
  const nodes = await askNodes()
  return {
    ...incoming,
    peer,
    frame: { assets: served.addresses, viewer: nameOf(peer) },
    path: target.pathname,
    query: target.searchParams,
    nodes,
    may: remembered((entry) => may(entry, nodes.get(entry.node))),
  }
}

/** Many entries are of the same person at the same node. */
function remembered(may: (entry: Entry) => boolean): (entry: Entry) => boolean {
  const known = new Map<string, Map<string, boolean>>()
  return (entry) => {
    const atNode = known.get(entry.node) ?? new Map<string, boolean>()
    if (atNode.size === 0) known.set(entry.node, atNode)
    const before = atNode.get(entry.who)
    if (before !== undefined) return before
    const answered = may(entry)
    atNode.set(entry.who, answered)
    return answered
  }
}

const nameOf = ({ tags, login, name }: Peer): string => (tags.length > 0 ? name : `${login ?? 'somebody'} on ${name}`)

type Route = (visit: Visit, parts: Parts) => void | Promise<void>

function routeOf(path: string): Route {
  if (path === '/') return list
  if (path.startsWith('/see/')) return see
  if (path.startsWith('/file/')) return file
  throw nothing()
}

/** The same whether there is none, or one that must not be seen. */
const nothing = (): Refused => new Refused(404, 'malformed', 'there is nothing at this address')

function list({ reply, frame, query: asked, nodes, may }: Visit, parts: Parts): void {
  const { index, requests, answered, isComplete } = parts
  const { form, query, problems } = readForm(asked)
  const searched = query.kind === 'request' ? requests : index
  const found = searched.search({ ...query, may, nameOf: (node) => nodes.get(node)?.name ?? '' }, perPage)
  const status = problems.length > 0 ? 400 : 200
  answered(status)
  answer(
    reply,
    status,
    page(
      frame,
      { title: 'List' },
      listPage({ form, problems, found, hasNewer: query.after !== undefined, isComplete: isComplete(), nodes }),
    ),
  )
}

function sendAsset(reply: Reply, { type, bytes }: Asset, { answered }: Parts): void {
  answered(200)
  answer(reply, 200, bytes, { 'content-type': type, 'cache-control': 'private, max-age=31536000, immutable' })
}

/** The entry that an address is of. Only what is in the index is there, whatever the address says. */
function entryAt({ path, may }: Visit, { index, requests }: Parts): Entry {
  const key = path.replace(/^\/\w+\//, '')
  const entry = index.get(key) ?? requests.get(key)
  if (!entry || !may(entry)) throw nothing()
  return entry
}

async function see(visit: Visit, parts: Parts): Promise<void> {
  const { reply, frame, nodes } = visit
  const entry = entryAt(visit, parts)
  const title = `${entry.command || entry.kind} by ${entry.who || entry.from}`
  if (entry.kind === 'request') {
    const event = await withFile(entry, parts, readEvent)
    parts.read(entry.key, visit.peer)
    parts.answered(200)
    return answer(reply, 200, page(frame, { title }, requestPage(entry, nodes, event)))
  }
  parts.answered(200)
  const script = { title, script: parts.served.addresses.play }
  answer(reply, 200, page(frame, script, sessionPage(entry, nodes, besideOf(entry, visit, parts))), withPlayer)
}

/** The requests that the device of a session has made at the same node while it went on. */
function besideOf(entry: Entry, { may }: Visit, { requests, clock }: Parts): Beside | undefined {
  const { began, seconds, from, node, kind } = entry
  if (kind === 'ssh' || from === '') return undefined
  // The request of the session itself comes first.
  const end = seconds === undefined ? clock.date().getTime() : began + 1000 * seconds
  const [since, until] = [began - 5000, end + 1000].map((ms) => isoOf(ms).slice(0, 19))
  const asked = readForm(new URLSearchParams({ kind: 'request', who: from, where: node, from: since!, to: until! }))
  // A name of a device that nobody could look for.
  if (asked.problems.length > 0) return undefined
  return { form: asked.form, found: requests.search({ ...asked.query, may }, besideMost) }
}

async function file(visit: Visit, parts: Parts): Promise<void> {
  const entry = entryAt(visit, parts)
  const text = visit.query.get('from') ?? '0'
  if (!/^\d{1,15}$/.test(text)) throw new Refused(400, 'malformed', '“from” is no number of bytes')
  const from = Number(text)
  const soFar = await openSoFar(entry, parts)
  const opened = soFar ?? (await open(entry, parts))
  if (visit.request.method === 'GET') parts.read(entry.key, visit.peer, from > 0)
  parts.answered(200)
  await sendFile(visit.reply, opened, { from, isOpen: soFar !== undefined })
}

/** What there is of a session that goes on; undefined if it has ended. */
async function openSoFar({ key }: Entry, { uploads }: Parts): Promise<Opened | undefined> {
  const recording = uploads.find(key)
  return recording && storing(() => recording.open()).catch(ignoringGone)
}

/** Takes an error for no result if it says that something is not there. */
function ignoringGone(error: unknown): undefined {
  if (!(error instanceof Refused && codeOf(error.cause) === 'ENOENT')) throw error
}

async function open({ key }: Entry, { store }: Parts): Promise<Opened> {
  const opened = await storing(() => store.open(key)).catch(ignoringGone)
  // It was removed just now.
  if (opened === undefined) throw nothing()
  return opened
}

async function withFile<T>(entry: Entry, parts: Parts, use: (file: Opened) => Promise<T>): Promise<T> {
  const opened = await open(entry, parts)
  try {
    return await use(opened)
  } finally {
    await opened.close()
  }
}

function refuse(reply: Reply, { status, message }: Refused, { served, answered }: Parts): void {
  const said = html`<h1>${status === 404 ? 'Nothing there' : 'Refused'}</h1>
    <p role="alert">${message}</p>`
  answered(status)
  const text = page({ assets: served.addresses, viewer: undefined }, { title: 'Refused' }, said)
  answer(reply, status, text, status === 405 ? { allow: 'GET, HEAD' } : {})
}
