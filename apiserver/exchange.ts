import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { Clock } from '../lib/clock.ts'
import type { PassedAnswer } from '../lib/http-client.ts'
import { aborted } from '../lib/timers.ts'
import type { Dial } from '../localapi/dial.ts'
import type { ApiProxyConfig } from '../wire/api-proxy-config.ts'
import { admit } from './admit.ts'
import { join, switchingHead } from './answer.ts'
import type { Audited } from './audit.ts'
import type { Caller } from './caller.ts'
import type { Callers } from './callers.ts'
import { answeredHeaders, pairsOf } from './headers.ts'
import type { Open, OpenRequests } from './open-requests.ts'
import type { Origin } from '../lib/proxy-header.ts'
import type { PerPeer } from './per-peer.ts'
import { Recording } from './recording/recording.ts'
import type { RequestEvents, Told } from './recording/request-events.ts'
import { sessionOf } from './recording/session.ts'
import { asRefused, refusalOf, Refused } from './refused.ts'
import { requestInfo } from './request-info.ts'
import type { Upstream } from './upstream.ts'
import { checkFrame, type Received } from './well-formed.ts'

export type Parts = {
  readonly callers: Pick<Callers, 'of'>
  readonly upstream: Pick<Upstream, 'authorization' | 'pass'>
  readonly open: OpenRequests
  /** How many requests each peer has open. */
  readonly limit: PerPeer
  /** The way to recorders. */
  readonly dial: Dial
  readonly events: Pick<RequestEvents, 'record'>
  readonly config: () => Pick<ApiProxyConfig, 'mode'>
  readonly isDraining: () => boolean
  readonly clock: Clock
  /** Gets what is known of a request when a session has begun, and when a request has ended. */
  readonly record: (audited: Audited, kind: Open['kind']) => void
}

type Request = IncomingMessage | Http2ServerRequest
type Response = ServerResponse | Http2ServerResponse

/** A request with what it is answered by. */
export type Incoming = {
  readonly request: Request
  readonly response: Response
  readonly origin: Origin
  /** The connection and its first bytes, if it is to change its protocol; it then belongs to the request alone. */
  readonly connection?: { readonly socket: Socket; readonly head: Buffer }
  /** Tells a caller that waits for it to send the body. */
  readonly proceed?: () => void
  /** Aborts with a refusal when what follows on the connection cannot be read, or not be told from this. */
  readonly broken?: AbortSignal
}

/**
 * Answers one request: by the API server's answer if its caller is known and may ask, otherwise by a refusal. Whatever
 * fails on the way is a refusal, too. Resolves when it is over, and never rejects.
 */
export async function exchange(incoming: Incoming, parts: Parts): Promise<void> {
  const { request, response, origin, connection } = incoming
  const { clock, record, open } = parts
  const began = clock.now()
  const received = receivedOf(request)
  const { method, target } = received
  const info = requestInfo(method, target)
  const gone = new AbortController()
  for (const one of [response, ...(connection ? [connection.socket] : [])]) {
    one.on('close', () => gone.abort())
    // It is closed then, too.
    one.on('error', () => {})
  }
  request.on('error', () => {})
  incoming.broken?.addEventListener('abort', () => gone.abort(incoming.broken?.reason))
  if ('shouldKeepAlive' in response && (connection || parts.isDraining())) response.shouldKeepAlive = false

  let kind: Open['kind'] = info.verb === 'watch' ? 'watch' : 'request'
  let [caller, answer, refused, cut]: [Caller?, PassedAnswer?, Refused?, string?] = []
  let impersonated = false
  let recording: Recording | undefined
  let unrecordable: string | undefined
  let told: Told | undefined
  const audited = (stage: Audited['stage']): Audited => {
    const id = answer?.headers['audit-id']
    return {
      id: typeof id === 'string' ? id : undefined,
      stage,
      origin,
      caller,
      impersonated,
      method,
      target,
      info,
      status: answer?.status ?? refused?.status,
      ms: clock.now() - began,
      refused,
      recorder: recording?.recorder,
      unrecorded: recording?.unrecorded ?? unrecordable,
      event: told && { recorder: told.recorder, unrecorded: told.unrecorded },
      cut,
    }
  }
  const end = (why: string): void => {
    cut ??= why
    // What has not been passed on is not any more, though the caller learns of it only later.
    gone.abort()
    response.destroy()
    connection?.socket.destroy()
  }
  let closed = (): void => {}
  const peer = origin.address.text
  const isWithin = parts.limit.take(peer)
  try {
    if (!isWithin) throw new Refused(429, 'limit', 'this device has too many requests open at once')
    const frame = checkFrame(received)
    if (frame.upgrade !== undefined && connection === undefined)
      throw new Refused(400, 'malformed', 'a change of protocol needs the header Connection: Upgrade')
    caller = await parts.callers.of(origin)
    const config = parts.config()
    const hasRecorders = caller.rules.recorders.length > 0
    const session = hasRecorders ? sessionOf(received, frame) : undefined
    const headers = admit(received, frame, caller, config, parts.upstream.authorization, session)
    impersonated = config.mode === 'auth'
    gone.signal.throwIfAborted()
    if (frame.upgrade !== undefined) kind = 'session'
    if (kind === 'session' && hasRecorders && session === undefined)
      unrecordable = 'the proxy cannot record sessions of this kind'
    const finish = (): void => {
      if (answer && 'body' in answer) finishAnswer(answer.body, response)
      else end('shutting down')
    }
    closed = open.add({ kind, origin, caller, end, finish })
    incoming.proceed?.()
    const asked = { body: frame.hasBody ? request : null, peer }
    if (hasRecorders && caller.rules.recordsRequests) {
      told = await parts.events.record(received, asked, caller, gone.signal)
      gone.signal.throwIfAborted()
    }
    if (session) {
      const mustBe = caller.rules.enforcesRecording
      recording = await Recording.begin(session, caller, parts, gone.signal, (why) =>
        mustBe ? end(`the recording broke off: ${why}`) : record(audited('unrecorded'), kind),
      )
      gone.signal.throwIfAborted()
    }
    answer = await parts.upstream.pass({
      method,
      path: target,
      headers,
      body: told ? told.body : asked.body,
      upgrade: frame.upgrade,
      signal: gone.signal,
    })
    if ('body' in answer) await sendAnswer(answer, response, gone.signal)
    else if (connection && frame.upgrade !== undefined && 'detachSocket' in response) {
      response.detachSocket(connection.socket)
      record(audited('started'), kind)
      connection.socket.write(switchingHead(frame.upgrade, answer.headers), 'latin1')
      if (connection.head.length > 0) connection.socket.unshift(connection.head)
      await join(connection.socket, answer, recording)
    } else answer.connection.destroy()
  } catch (error) {
    const { aborted: isGone, reason } = gone.signal
    // A caller that has gone is not refused anything.
    if (!isGone || reason instanceof Refused) {
      refused = asRefused(isGone ? reason : error)
      refuse(refused, request, response)
    }
  } finally {
    await recording?.end()
    told?.free()
    closed()
    if (isWithin) parts.limit.give(peer)
    record(audited('ended'), kind)
  }
}

function receivedOf(request: Request): Received {
  const { httpVersion, method = '', url: target = '', rawHeaders } = request
  const ofVersion =
    request instanceof Http2ServerRequest
      ? { version: '2', isWhole: request.stream.endAfterHeaders }
      : { version: httpVersion === '2' ? '' : httpVersion }
  return { ...ofVersion, method, target, headers: pairsOf(rawHeaders) }
}

/** Resolves when the answer was sent, or could not be. An answer that breaks off is cut off here, too. */
function sendAnswer(
  { status, headers, body }: Extract<PassedAnswer, { readonly body: Readable }>,
  response: Response,
  closed: AbortSignal,
): Promise<unknown> {
  body.on('error', () => response.destroy())
  begin(response, status, answeredHeaders(headers))
  body.pipe(response)
  return aborted(closed)
}

/** Ends an answer in good order, though there may be more of it. */
function finishAnswer(body: Readable, response: Response): void {
  body.unpipe(response)
  response.end()
}

function refuse(refused: Refused, request: Request, response: Response): void {
  if (response.headersSent) return void response.destroy()
  const { body, headers } = refusalOf(refused, request.headers.accept)
  // Of a request that was malformed, it is not certain where it ends.
  if (refused.reason === 'malformed' && 'shouldKeepAlive' in response) response.shouldKeepAlive = false
  // Its body may have been read in part; then it would not end by itself.
  request.resume()
  begin(response, refused.status, headers)
  if (request.method === 'HEAD') response.end()
  else response.end(body)
}

/** Sends a head at once: what is watched may not change for long. */
function begin(response: Response, status: number, headers: OutgoingHttpHeaders): void {
  // HTTP/2 does not wait for the body.
  if (!(response instanceof ServerResponse)) return void response.writeHead(status, headers)
  response.writeHead(status, headers)
  response.flushHeaders()
}
