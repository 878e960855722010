import { close, portOf } from '../lib/http-server.ts'
import type { Log } from '../lib/log.ts'
import { serveHealth } from '../lib/probes.ts'
import { type Process, runService } from '../lib/process.ts'
import { localApi } from '../localapi/client.ts'
import { Bodies } from './bodies.ts'
import { exchange, type Parts } from './exchange.ts'
import { Index } from './index/index.ts'
import { mostRequests, requestEntry } from './index/request.ts'
import { Keeper } from './keeper.ts'
import { events } from './log-events.ts'
import { counting } from './metrics.ts'
import { askPeer } from './peers.ts'
import { noRoom, Ready } from './ready.ts'
import { Refused } from './refused.ts'
import { Servers } from './servers.ts'
import { logSettings, readSettings, type Settings, strayVariables } from './settings.ts'
import { openStore } from './store/open.ts'
import { Uploads } from './uploads.ts'
import { serveWeb } from './web/web.ts'

/** How often what could not be finished is tried again, in milliseconds. */
const againMs = 60_000
/** The most that the last answers take after open recordings were cut off, in milliseconds. */
const lastWordsMs = 5000
/** The most that what is in the spool may take after that, in milliseconds. */
const mostEmptyingMs = 120_000

/** Runs the recorder to its end; see `runService`. */
export const runRecorder = (outside: Process): Promise<0 | 1> =>
  runService(outside, {
    source: 'recorder',
    called: 'recorder',
    logs: logSettings(outside.env),
    begins: events.begins({ version: outside.version }),
    warnings: strayVariables(outside.env).map((problem) => events.setting({ problem })),
    start: (log, signal) => start(readSettings(outside.env), outside, log, signal),
  })

async function start(
  settings: Settings,
  { clock, print }: Pick<Process, 'clock' | 'print'>,
  log: Log,
  signal: AbortSignal,
) {
  const { store, spool } = await openStore(settings, clock, log)
  const api = localApi(settings.socket)
  const counts = counting()
  const index = new Index()
  // Requests to API servers are only found on the web page.
  const requests = settings.web && new Index(mostRequests)
  const keeper = new Keeper({ store, index, requests, counts, clock, log, limits: settings })
  const stored = (bytes: number): void => keeper.stored(bytes)
  const uploads = new Uploads({ index, counts, clock, log, print, stored })
  const ready = new Ready({ api, store, clock, log }, signal)
  const cut = new AbortController()
  let isDraining = false

  const refusal = (): Refused | undefined => {
    if (isDraining) return new Refused(503, 'stopping', 'the recorder is shutting down')
    const { storage } = ready.now
    if (storage === undefined) return undefined
    return storage === noRoom
      ? new Refused(507, 'storage', 'the recorder has no room left')
      : new Refused(503, 'storage', 'the recorder cannot store anything')
  }
  const refused = (one: Refused, peer?: { readonly name: string }): void => {
    counts.refused(one)
    if (peer !== undefined) log(events.refusedOf({ peer: peer.name, problem: one }))
    else if (one.cause !== undefined) log(events.refused({ problem: one }))
  }
  const asking = askPeer(api, clock, signal, counts.asked)
  const parts: Parts = {
    askPeer: asking,
    store,
    uploads,
    bodies: new Bodies(clock),
    eventStored: (event, content) => {
      counts.event()
      stored(event.bytes)
      requests?.put(requestEntry(event, content))
    },
    clock,
    stop: cut.signal,
    refusal,
    mostBytes: settings.maxSessionBytes,
    refused,
  }
  const servers = new Servers({ take: (incoming) => void exchange(incoming, parts), refused }, settings.isProxied)

  const finishLeft = async (): Promise<void> => {
    const count = await keeper.finishLeft()
    if (count > 0) log(events.finished({ count }))
  }
  // Before there are new ones.
  await finishLeft()
  await ready.look()
  void spool?.run(signal)
  void keeper.keep(signal)
  clock.every(againMs, signal, () => {
    if (!uploads.hasLeft) return
    uploads.hasLeft = false
    finishLeft().catch((error: unknown) => log(events.notFinished({ problem: error })))
  })

  const notReady = (): string[] => [
    ...(isDraining ? ['shutting down'] : []),
    // Recordings are taken all the same, while the spool has room.
    ...[spool?.problem() ?? []].flat(),
    ...Object.entries(ready.now).flatMap(([name, problem]) => (problem === undefined ? [] : [`${name}: ${problem}`])),
  ]
  const metrics = () => [
    ...counts.all({
      open: uploads.open,
      receivedBytes: uploads.received,
      unacknowledged: uploads.unacknowledged,
      stored: { recordings: index.size, bytes: keeper.storedBytes },
      freeBytes: ready.freeBytes,
      needs: { ...ready.now, ...(spool && { s3: spool.problem() }) },
    }),
    ...(spool?.metrics() ?? []),
  ]
  const isComplete = (): boolean => keeper.hasLooked
  const looking = { api, askPeer: asking, index, isComplete, store, uploads, counts, clock, log, print }
  const web = settings.web && requests && (await serveWeb(settings.web, { ...looking, requests }, signal))
  const health = await serveHealth({ notReady, metrics }, settings.port, log)
  const { host, port } = settings.listen
  log(events.listens({ address: `${host}:${await servers.listen(host, port)}`, port: portOf(health) }))

  return {
    /** Lets open recordings go on for a while; new ones are refused. */
    drain: async (): Promise<void> => {
      isDraining = true
      servers.drain()
      web?.drain()
      await Promise.race([uploads.empty(), clock.sleep(settings.drainMs, signal)])
    },
    /** Cuts open recordings off, and says so to their uploaders. */
    cut: async (): Promise<void> => {
      cut.abort(new Refused(503, 'stopping', 'the recorder is shutting down'))
      const ended = uploads.empty().then(() => {
        servers.drain()
        return servers.empty()
      })
      await Promise.race([ended, clock.sleep(lastWordsMs, signal)])
      if (spool === undefined) return
      await Promise.race([spool.empty(), clock.sleep(Math.min(settings.drainMs, mostEmptyingMs), signal)])
      if (spool.waiting() > 0) log(events.notEmptied({ count: spool.waiting() }))
    },
    close: async (): Promise<void> => {
      servers.close()
      web?.close()
      await close(health)
    },
  }
}
