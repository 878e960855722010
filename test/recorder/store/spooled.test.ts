import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../lib/clock.ts'
import { directoryStore } from '../../../recorder/store/directory.ts'
import { RemoteError } from '../../../recorder/store/remote.ts'
import { type Spool, spooledStore } from '../../../recorder/store/spooled.ts'
import type { Store } from '../../../recorder/store/store.ts'
import { aRemote } from './a-remote.ts'

const key = 'nA/2026-11-30T12:00:00.000000000Z.cast'
const event = 'events/nA/2026/11/30/1.json'
let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'culvert-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const open = (remote = aRemote().remote, mostBytes = Infinity): Promise<Store & Spool> =>
  spooledStore({ spool: directoryStore(root), remote, mostBytes, clock: systemClock, log: () => {} })

/** A store that uploads, to a remote that answers only from `go` on. */
async function running() {
  const { remote, objects, state } = aRemote()
  const waiting = Promise.withResolvers<void>()
  state.wait = waiting.promise
  const store = await open(remote)
  const over = new AbortController()
  void store.run(over.signal)
  return { store, objects, go: waiting.resolve, [Symbol.dispose]: () => over.abort() }
}

async function write(store: Store, text: string): Promise<void> {
  const part = await store.begin(key)
  await part.append(Buffer.from(text))
  await part.finish(part.bytes)
}

const listed = async (store: Store): Promise<string[]> =>
  (await Array.fromAsync(store.list(), (one) => `${one.key} ${one.bytes}`)).toSorted()

const textOf = async (store: Store): Promise<string> => {
  const from = await store.open(key)
  const bytes = await from.read(0, from.bytes)
  await from.close()
  return bytes.toString()
}

const metric = (store: Spool, name: string): number | undefined =>
  store.metrics().find((one) => one.name === name)?.samples[0]?.value

const away = new RemoteError('unreachable', 'it is away')

describe('a store with a spool', () => {
  it('lists and reads what is finished, wherever it is, and removes it from the spool when it is in the remote', async () => {
    using all = await running()
    const { store, objects, go } = all
    await write(store, 'some\n')
    await store.put(event, Buffer.from('{}'))
    const both = [`${event} 2`, `${key} 5`]
    expect([await listed(store), await textOf(store), store.waiting()]).toEqual([both, 'some\n', 2])
    expect(metric(store, 'culvert_recorder_spool_bytes')).toBe(7)
    go()
    await store.empty()
    expect([await listed(store), await textOf(store), store.waiting()]).toEqual([both, 'some\n', 0])
    expect([objects.size, readdirSync(join(root, 'nA')), metric(store, 'culvert_recorder_spool_bytes')]).toEqual([
      2,
      [],
      0,
    ])
  })

  it('uploads what another one has left', async () => {
    const first = await open()
    await write(first, 'some\n')
    const { remote, objects } = aRemote()
    const store = await open(remote)
    expect([store.waiting(), metric(store, 'culvert_recorder_spool_bytes')]).toEqual([1, 5])
    const over = new AbortController()
    void store.run(over.signal)
    await store.empty()
    expect(objects.get(key)?.toString()).toBe('some\n')
    over.abort()
  })

  it('removes what is being uploaded from the remote, too', async () => {
    using all = await running()
    const { store, objects, go } = all
    await write(store, 'some\n')
    await store.remove(key)
    go()
    await expect.poll(() => objects.size).toBe(0)
    expect(await listed(store)).toEqual([])
    expect(metric(store, 'culvert_recorder_spool_bytes')).toBe(0)
    await expect(store.open(key)).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('has no more in the spool than it may, but always room for the end of a recording', async () => {
    const { remote, state } = aRemote()
    state.failure = away
    const store = await open(remote, 10)
    const part = await store.begin(key)
    await part.append(Buffer.from('12345678\n'))
    await expect(part.append(Buffer.from('12'))).rejects.toMatchObject({ code: 'ENOSPC' })
    await expect(store.put(event, Buffer.from('{}'))).rejects.toMatchObject({ code: 'ENOSPC' })
    await part.finish(9, Buffer.from('the end\n'))
    await part.leave()
    expect([await store.free(), metric(store, 'culvert_recorder_spool_bytes')]).toEqual([0, 17])
    await store.remove(key)
    expect([await store.free(), metric(store, 'culvert_recorder_spool_bytes')]).toEqual([10, 0])
    const other = await store.begin(key)
    await other.append(Buffer.from('1'))
    await other.discard()
    expect(await store.free()).toBe(10)
  })

  it('gives what is unfinished, which is uploaded once it is finished', async () => {
    const left = await (await open()).begin(key)
    await left.append(Buffer.from('left\n'))
    const store = await open()
    for await (const part of store.unfinished()) await part.finish(part.bytes)
    expect([store.waiting(), metric(store, 'culvert_recorder_spool_bytes')]).toEqual([1, 5])
    await left.leave()
  })

  it('stores events while the folders of other ones are removed', async () => {
    using all = await running()
    const { store, objects, go } = all
    go()
    for (let at = 0; at < 300; at += 1) await store.put(`events/nA/2026/11/30/${at}.json`, Buffer.from('{}'))
    await store.empty()
    expect(objects.size).toBe(300)
  })
})
