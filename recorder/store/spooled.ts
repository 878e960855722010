import type { Clock } from '../../lib/clock.ts'
import { codeOf } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import type { Metric } from '../../lib/metrics.ts'
import { isEventKey, isRecordingKey } from '../keys.ts'
import { events } from '../log-events.ts'
import type { Remote } from './remote.ts'
import { Room } from './room.ts'
import { spoolMetrics } from './spool-metrics.ts'
import type { Part, Store } from './store.ts'
import { Uploader } from './uploader.ts'

/** How many recordings are read at once: each is mostly waited for. */
const readsAtOnce = 16

/** What the process does with a store whose recordings go on to a remote. */
export type Spool = {
  /** Uploads until `signal` aborts. */
  readonly run: (signal: AbortSignal) => Promise<void>
  /** Resolves when all that is finished is in the remote. */
  readonly empty: () => Promise<void>
  /** How much is still here. */
  readonly waiting: () => number
  /** What somebody must do something about, so that uploads go on. */
  readonly problem: () => string | undefined
  readonly metrics: () => readonly Metric[]
}

type Outside = {
  /** A directory for what is written, and for what is not in the remote yet. */
  readonly spool: Store
  readonly remote: Remote
  /** How many bytes the spool may have. */
  readonly mostBytes: number
  readonly clock: Pick<Clock, 'now' | 'sleep'>
  readonly log: Log
}

/**
 * Keeps everything in a remote, by way of a directory, from which it is removed once it is there. What survives in
 * either counts as stored. Rejects if the directory cannot be read.
 */
export async function spooledStore({ spool, remote, mostBytes, clock, log }: Outside): Promise<Store & Spool> {
  const room = new Room(mostBytes)
  const here = async (key: string) => {
    try {
      return await spool.open(key)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw error
    }
  }
  const uploader: Uploader = new Uploader({
    clock,
    upload: async (key) => {
      const from = await here(key)
      // Whoever has removed it does not want it.
      if (from === undefined) return
      try {
        await remote.upload(from)
      } finally {
        await from.close()
      }
    },
    look: () => remote.look(),
    kept: async (key, isWanted) => {
      if (!isWanted) return remote.remove(key)
      await spool.remove(key)
      room.used -= uploader.drop(key)
    },
    changed: (failure) => log(failure ? events.remoteFails({ problem: failure }) : events.remoteWell()),
    failed: (key, error) => log(events.notKept({ key, problem: error })),
  })
  for await (const { key, bytes } of spool.list()) {
    // What else is there is not ours.
    if (!isRecordingKey(key) && !isEventKey(key)) continue
    room.used += bytes
    uploader.add(key, bytes)
  }

  return {
    begin: async (key) => {
      room.check(0)
      return spooledPart(await spool.begin(key), room, uploader)
    },
    put: async (key, bytes) => {
      room.check(bytes.length)
      await spool.put(key, bytes)
      room.used += bytes.length
      uploader.add(key, bytes.length)
    },
    unfinished: async function* () {
      for await (const part of spool.unfinished()) {
        room.used += part.bytes
        yield spooledPart(part, room, uploader)
      }
    },
    list: async function* () {
      // First what waits: it may be in the remote when that is read.
      const [waiting, given] = [new Set(uploader.keys()), new Set<string>()]
      for await (const stored of spool.list()) {
        if (!waiting.has(stored.key)) continue
        given.add(stored.key)
        yield stored
      }
      for await (const stored of remote.list()) if (!given.has(stored.key)) yield stored
    },
    open: async (key) => {
      const waiting = uploader.has(key) ? await here(key) : undefined
      if (waiting) return waiting
      return { ...(await remote.open(key)), close: async () => {} }
    },
    remove: async (key) => {
      if (uploader.has(key)) {
        room.used -= uploader.drop(key)
        await spool.remove(key)
      }
      await remote.remove(key)
    },
    free: async () => Math.min(room.left, (await spool.free()) ?? Infinity),
    readsAtOnce,
    run: (signal) => uploader.run(signal),
    empty: () => uploader.empty(),
    waiting: () => uploader.state.waiting,
    problem: () => (uploader.failure?.isLasting === true ? uploader.failure.message : undefined),
    metrics: () => spoolMetrics(uploader.state, room.used),
  }
}

/** A recording in the spool. Once it is finished, it is uploaded. */
function spooledPart(part: Part, room: Room, uploader: Uploader): Part {
  /** How many bytes of it are counted. */
  let counted = part.bytes
  const count = (bytes: number): void => {
    room.used += bytes - counted
    counted = bytes
  }
  return {
    key: part.key,
    get bytes() {
      return part.bytes
    },
    read: (from, to) => part.read(from, to),
    append: async (bytes) => {
      room.check(bytes.length)
      try {
        await part.append(bytes)
      } finally {
        count(part.bytes)
      }
    },
    sync: () => part.sync(),
    reopen: () => part.reopen(),
    // Its end must have room.
    finish: async (bytes, end) => {
      await part.finish(bytes, end)
      count(part.bytes)
      uploader.add(part.key, part.bytes)
      counted = 0
    },
    discard: async () => {
      await part.discard()
      count(0)
    },
    leave: async () => {
      await part.leave()
      count(0)
    },
  }
}
