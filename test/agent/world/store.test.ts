import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createStore, type Field } from '../../../agent/world/store.ts'
import { aWorld } from '../a-world.ts'

const signal = new AbortController().signal

describe('a field of World', () => {
  it('has one writer', () => {
    const store = createStore(aWorld(), () => {})
    store.writer('daemon')
    expect(() => store.writer('daemon')).toThrow('World.daemon has another writer already')
  })

  it('is changed only by it, and keeps its value while nothing changes', async () => {
    const store = createStore(aWorld(), () => {})
    const write = store.writer('contact')
    const before = store.world
    let woken = 0
    store.watch(() => (woken += 1), signal)
    write((contact) => contact)
    await turn()
    expect([store.world, woken]).toEqual([before, 0])
    write((contact) => ({ ...contact, services: new Set(['db']) }))
    await turn()
    const changed = (Object.keys(before) as Field[]).filter((field) => store.world[field] !== before[field])
    expect([changed, woken]).toEqual([['contact'], 1])
  })
})

describe('a listener that throws', () => {
  it('is reported, and called again; the others are called as usual', async () => {
    const problems: string[] = []
    const store = createStore(aWorld(), (problem) => problems.push(problem))
    const write = store.writer('everServed')
    let [calls, others] = [0, 0]
    store.watch(() => {
      calls += 1
      throw new TypeError('no such thing')
    }, signal)
    store.watch(() => (others += 1), signal)
    for (const name of ['svc:a', 'svc:b']) {
      write((before) => new Set([...before, name]))
      await turn()
    }
    expect([calls, others]).toEqual([2, 2])
    expect(problems).toEqual([expect.stringMatching(/^a listener failed.*: no such thing$/)])
  })

  it('rejects `until` when its condition throws', async () => {
    const store = createStore(aWorld(), () => {})
    const write = store.writer('everServed')
    const waiting = store.until(({ everServed }) => {
      if (everServed.size > 0) throw new TypeError('no such thing')
      return false
    }, signal)
    write(() => new Set(['svc:a']))
    await expect(waiting).rejects.toThrow('no such thing')
  })
})
