import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { directoryStore } from '../../../recorder/store/directory.ts'
import type { Store } from '../../../recorder/store/store.ts'

const key = 'nA/2026-11-30T12:00:00.000000000Z.cast'
let root: string
let store: Store
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'culvert-'))
  store = directoryStore(root)
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const listed = async (from = store): Promise<string[]> => {
  const keys: string[] = []
  for await (const { key: one, bytes } of from.list()) keys.push(`${one} ${bytes}`)
  return keys.toSorted()
}

describe('a directory of recordings', () => {
  it('has a recording under its key when it is finished, and only then', async () => {
    const part = await store.begin(key)
    await part.append(Buffer.from('one two'))
    await part.sync()
    expect(await listed()).toEqual([])
    expect((await part.read(4, 100)).toString()).toBe('two')
    await part.finish(4, Buffer.from('three'))
    expect(await listed()).toEqual([`${key} 9`])
    expect(readFileSync(join(root, key), 'utf8')).toBe('one three')
    const found = await store.open(key)
    expect([found.bytes, (await found.read(0, 3)).toString()]).toEqual([9, 'one'])
    await found.close()
    await store.remove(key)
    expect(await listed()).toEqual([])
  })

  it('can be read while it is written, and what was opened then also when it has ended', async () => {
    const part = await store.begin(key)
    await part.append(Buffer.from('one two'))
    const opened = await part.reopen()
    await part.append(Buffer.from(' three'))
    await part.finish(4)
    expect([opened.bytes, (await opened.read(0, 4)).toString()]).toEqual([7, 'one '])
    await opened.close()
    await expect(part.reopen()).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('leaves files that are not its own as they are, also with such names', async () => {
    const others = [
      'film.part',
      'seat.taken',
      'nA/notes.txt.part',
      'nA/sub/1.cast.part',
      'a b/1.cast.part',
      '1.cast.part',
    ]
    for (const folder of ['nA/sub', 'a b']) mkdirSync(join(root, folder), { recursive: true })
    for (const name of others) writeFileSync(join(root, name), 'mine')
    for await (const part of store.unfinished()) throw new Error(part.key)
    for (const name of others) expect(readFileSync(join(root, name), 'utf8')).toBe('mine')
  })

  it('does not begin a recording again, neither an open one nor a finished one', async () => {
    const part = await store.begin(key)
    await expect(store.begin(key)).rejects.toMatchObject({ code: 'EEXIST' })
    await part.finish(0)
    await expect(store.begin(key)).rejects.toMatchObject({ code: 'EEXIST' })
  })

  it('gives what was left unfinished, once, and not what is being written', async () => {
    const left = await directoryStore(root).begin(key)
    await left.append(Buffer.from('left'))
    const own = await store.begin(`${key.slice(0, -6)}1.cast`)
    const found: string[] = []
    for await (const part of store.unfinished()) {
      found.push(`${part.key} ${part.bytes}`)
      await part.finish(part.bytes)
    }
    expect(found).toEqual([`${key} 4`])
    for await (const part of store.unfinished()) found.push(part.key)
    expect(found).toHaveLength(1)
    await own.discard()
    await left.leave()
    expect(readdirSync(join(root, 'nA'))).toEqual([key.slice(3)])
  })

  it('tells whoever wrote a recording that another one has taken it, before anything more is reported', async () => {
    const left = await directoryStore(root).begin(key)
    await left.append(Buffer.from('first\n'))
    await left.sync()
    for await (const part of store.unfinished()) {
      await left.append(Buffer.from('second\n'))
      await expect(left.sync()).rejects.toThrow('another recorder has taken the directory over')
      await part.finish(part.bytes)
    }
    await expect(left.finish(13)).rejects.toThrow('another recorder has taken the directory over')
    await left.leave()
    expect(readFileSync(join(root, key), 'utf8')).toMatch(/^first\n/)
  })

  it('stores events as a whole, and removes the folders of days without any', async () => {
    await store.put('events/nA/2026/11/30/1.json', Buffer.from('{}'))
    await store.put('events/nA/2026/11/30/2.json', Buffer.from('{}'))
    expect(await listed()).toEqual(['events/nA/2026/11/30/1.json 2', 'events/nA/2026/11/30/2.json 2'])
    await store.remove('events/nA/2026/11/30/1.json')
    await store.remove('events/nA/2026/11/30/2.json')
    expect(readdirSync(join(root, 'events/nA/2026/11'))).toEqual([])
  })

  it('stores an event while it looks for what was left unfinished', async () => {
    const event = 'events/nA/2026/11/30/1.json'
    const over = new AbortController()
    const stored = store.put(event, Buffer.alloc(16 * 1024 * 1024)).finally(() => over.abort())
    stored.catch(() => {})
    while (!over.signal.aborted) for await (const part of store.unfinished()) throw new Error(part.key)
    await stored
    expect(await listed()).toEqual([`${event} 16777216`])
  })

  it('removes an event that was not stored as a whole', async () => {
    await store.put('events/nA/2026/11/30/1.json', Buffer.from('{}'))
    writeFileSync(join(root, 'events/nA/2026/11/30/2.json.part'), 'half')
    for await (const part of store.unfinished()) throw new Error(part.key)
    expect(readdirSync(join(root, 'events/nA/2026/11/30'))).toEqual(['1.json'])
  })

  it('leaves out links, wherever they lead', async () => {
    const part = await store.begin(key)
    await part.finish(0)
    symlinkSync('/etc', join(root, 'nB'))
    symlinkSync('/etc/passwd', join(root, 'nA', 'passwd.cast'))
    expect(await listed()).toEqual([`${key} 0`])
    await expect(store.open('nA/passwd.cast')).rejects.toMatchObject({ code: 'ELOOP' })
  })

  it('is only for its user', async () => {
    const part = await store.begin(key)
    await part.finish(0)
    const modes = readdirSync(root, { recursive: true, withFileTypes: true }).map((entry) => entry.name)
    expect(modes).toHaveLength(2)
    const { statSync } = await import('node:fs')
    expect([statSync(join(root, 'nA')).mode & 0o777, statSync(join(root, key)).mode & 0o777]).toEqual([0o700, 0o600])
  })

  it('knows how much room is left', async () => {
    expect(await store.free()).toBeGreaterThan(0)
  })
})
