import * as fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import { byAnnotation, byLabel, byOwner, bySecret } from '../../../kube/controller/indexes.ts'
import { keyOf, type KubeObject, nameOf } from '../../../kube/controller/object.ts'
import { type Change, store, type StoreOptions } from '../../../kube/controller/store.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { configMap } from './an-object.ts'

let failures: string[]
beforeEach(() => {
  failures = []
})
const made = (options: Partial<StoreOptions<KubeObject>> = {}) =>
  store({ failed: (error, key) => failures.push(`${key}: ${String(error)}`), ...options })

const inWords = ({ key, before, after, initial }: Change): string =>
  `${key} ${before?.metadata.resourceVersion} ${after?.metadata.resourceVersion}${initial ? ' initial' : ''}`

describe('a store', () => {
  it('has the objects by key, frozen, and tells what changed', () => {
    const kept = made()
    const told: string[] = []
    const end = kept.listen((change) => told.push(inWords(change)))
    kept.replace([configMap('a', '1'), configMap('b', '2')])
    kept.set(configMap('a', '3'))
    kept.set(configMap('a', '3'))
    kept.remove('ns/b')
    kept.remove('ns/b')
    end()
    kept.set(configMap('c', '4'))
    expect(told).toEqual(['ns/a undefined 1 initial', 'ns/b undefined 2 initial', 'ns/a 1 3', 'ns/b 2 undefined'])
    expect(() => Object.assign(kept.get('ns/a')!['data']!, { x: 1 })).toThrow(TypeError)
    expect([...kept.all()].map(({ metadata }) => metadata.name)).toEqual(['a', 'c'])
  })

  it('shows all of a list before it tells of any of it, and counts what differs', () => {
    const kept = made()
    kept.replace([configMap('same', '1'), configMap('changed', '1'), configMap('gone', '1')])
    const sizes: number[] = []
    const told: string[] = []
    kept.listen((change) => {
      told.push(inWords(change))
      sizes.push(kept.size())
    })
    const difference = kept.replace([configMap('same', '1'), configMap('changed', '2'), configMap('new', '3')])
    expect(difference).toEqual({ added: 1, changed: 1, removed: 1 })
    expect(told).toEqual(['ns/gone 1 undefined', 'ns/changed 1 2', 'ns/new undefined 3'])
    expect(sizes).toEqual([3, 3, 3])
  })

  it('notices that an object was replaced by another with its name', () => {
    const kept = made()
    kept.replace([configMap('a', '1')])
    expect(kept.replace([configMap('a', '1', { uid: 'other' })])).toEqual({ added: 0, changed: 1, removed: 0 })
  })

  it('goes on when a listener or an index throws', () => {
    const broken = (): never => {
      throw new Error('broken')
    }
    const kept = made({ indexes: { broken, owner: byOwner } })
    const told: string[] = []
    kept.listen(broken)
    kept.listen(({ key }) => told.push(key))
    kept.set(configMap('a', '1'))
    expect(told).toEqual(['ns/a'])
    expect(kept.by('broken', 'x')).toEqual([])
    expect(failures).toEqual(['ns/a: Error: broken', 'ns/a: Error: broken'])
    expect(() => kept.by('none', 'x')).toThrow('the store has no index none')
  })
})

it('keys are made of names, and names of keys', () => {
  for (const key of ['ns/a', 'a']) expect(keyOf(nameOf(key))).toBe(key)
})

describe('indexes', () => {
  const object = (spec: unknown): KubeObject => ({ ...configMap('a', '1'), spec })
  it.each<[string, KubeObject, readonly string[]]>([
    ['no spec', configMap('a', '1'), []],
    ['a volume', object({ template: { spec: { volumes: [{ secret: { secretName: 's' } }] } } }), ['ns/s']],
    ['TLS of an Ingress', object({ tls: [{ secretName: 's' }, { secretName: 's' }, {}] }), ['ns/s']],
    [
      'the environment',
      object({
        containers: [
          {
            env: [{ name: 'x', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }],
            envFrom: [{ secretRef: { name: 't' } }],
          },
        ],
      }),
      ['ns/s', 'ns/t'],
    ],
    ['pull secrets', object({ imagePullSecrets: [{ name: 's' }, { name: 't' }] }), ['ns/s', 'ns/t']],
    ['nonsense', object({ secretName: 5, secretRef: [null, { name: {} }] }), []],
  ])('by Secret: %s', (_what, one, keys) => {
    expect(bySecret(one)).toEqual(keys)
  })

  const label = fc.constantFrom('x', 'y', undefined)
  const step = fc.oneof(
    fc.record({ set: fc.constantFrom('a', 'b', 'c'), label, owners: fc.uniqueArray(fc.constantFrom('o', 'p')) }),
    fc.record({ remove: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ replace: fc.uniqueArray(fc.constantFrom('a', 'b', 'c')), label }),
  )

  it('find the same as a look through all objects, after any sequence of events', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const kept = made({ indexes: { label: byLabel('l'), annotation: byAnnotation('l'), owner: byOwner } })
        /** What listeners were told, put together. */
        const heard = new Map<string, KubeObject>()
        kept.listen(({ key, before, after }) => {
          expect(heard.get(key)).toBe(before)
          if (after === undefined) heard.delete(key)
          else heard.set(key, after)
        })
        let model = new Map<string, KubeObject>()
        let version = 0
        const make = (name: string, value: string | undefined, owners: readonly string[] = []) => {
          const values = value === undefined ? {} : { l: value }
          const ownerReferences = owners.map((uid) => ({ apiVersion: 'v1', kind: 'Owner', name: uid, uid }))
          return configMap(name, String((version += 1)), { labels: values, annotations: values, ownerReferences })
        }
        for (const one of steps) {
          if ('set' in one) {
            const after = make(one.set, one.label, one.owners)
            model.set(`ns/${one.set}`, after)
            kept.set(after)
          } else if ('remove' in one) {
            model.delete(`ns/${one.remove}`)
            kept.remove(`ns/${one.remove}`)
          } else {
            const all = one.replace.map((name) => make(name, one.label))
            model = new Map(all.map((each) => [keyOf(each.metadata), each]))
            kept.replace(all)
          }
          expect(new Map([...kept.all()].map((each) => [keyOf(each.metadata), each]))).toEqual(model)
          expect(heard).toEqual(model)
          const found = (has: (each: KubeObject) => boolean): string[] =>
            [...model.values()].filter(has).map(nameIn).toSorted()
          for (const value of ['x', 'y']) {
            const byValue = found(({ metadata }) => metadata.labels?.['l'] === value)
            expect(kept.by('label', value).map(nameIn).toSorted()).toEqual(byValue)
            expect(kept.by('annotation', value).map(nameIn).toSorted()).toEqual(byValue)
          }
          for (const uid of ['o', 'p']) {
            const owned = found(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.uid === uid) === true)
            expect(kept.by('owner', uid).map(nameIn).toSorted()).toEqual(owned)
          }
        }
        expect(failures).toEqual([])
      }),
    )
  })
})

const nameIn = ({ metadata }: KubeObject): string => metadata.name

describe('a write', () => {
  let clock: VirtualClock
  beforeEach(() => {
    clock = new VirtualClock()
  })
  /** When it is done, in virtual time. */
  const doneAt = async (done: Promise<void>): Promise<number> => {
    let at = Number.NaN
    void done.then(() => (at = clock.now()))
    await clock.advance(10_000)
    return at
  }

  it('is done when the store shows it', async () => {
    const kept = made({ clock })
    const done = kept.writing('ns/a').done('2')
    clock.after(100, new AbortController().signal, () => kept.set(configMap('a', '1')))
    clock.after(200, new AbortController().signal, () => kept.set(configMap('a', '2')))
    expect(await doneAt(done)).toBe(200)
    expect(clock.pending).toBe(0)
  })

  it('is done at once if the store has shown it before the answer came, and even something later', async () => {
    const kept = made({ clock })
    const write = kept.writing('ns/a')
    kept.set(configMap('a', '2'))
    kept.set(configMap('a', '3'))
    expect(await doneAt(write.done('2'))).toBe(0)
  })

  it('that changed nothing is done at once', async () => {
    const kept = made({ clock })
    kept.set(configMap('a', '2'))
    expect(await doneAt(kept.writing('ns/a').done('2'))).toBe(0)
  })

  it.each<[string, (from: ReturnType<typeof made>) => unknown]>([
    ['by a list', (from) => from.replace([])],
    ['by an event', (from) => from.remove('ns/a')],
  ])('that deletes is done when the object is gone, %s', async (_how, goes) => {
    const kept = made({ clock })
    kept.set(configMap('a', '1'))
    const done = kept.writing('ns/a').done(undefined)
    clock.after(100, new AbortController().signal, () => goes(kept))
    expect(await doneAt(done)).toBe(100)
  })

  it('is waited for no longer than five seconds', async () => {
    const kept = made({ clock })
    expect(await doneAt(kept.writing('ns/a').done('2'))).toBe(5000)
  })
})
