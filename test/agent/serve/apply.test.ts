import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { serveReconciler } from '../../../agent/serve/reconciler.ts'
import type { TaggedApi } from '../../../localapi/client.ts'
import { LocalApiError, Refusal } from '../../../localapi/error.ts'
import { entriesOf, type ServeConfig, withoutEmpty } from '../../../wire/serve-config.ts'
import { aServingWorld as world } from './a-serving-world.ts'

const signal = new AbortController().signal
const forward = { 5432: { TCPForward: 'db:5432' } }

/** A tailscaled that serves `now`, and answers writes as given. */
function daemon(
  now: ServeConfig,
  answer: (config: ServeConfig, count: number) => LocalApiError | undefined = () => undefined,
) {
  let [config, version, count] = [now, 1, 0]
  const written: ServeConfig[] = []
  const api: TaggedApi = {
    getTagged: async () => ({ text: JSON.stringify(config), etag: String(version) }),
    replace: async (_path, value, etag) => {
      if (etag !== String(version)) throw refusal(412, 'precondition failed')
      const error = answer(value, (count += 1))
      if (error !== undefined) throw error
      version += 1
      config = value
      written.push(config)
    },
  }
  return { api, written, change: (other: ServeConfig) => ((config = other), (version += 1)), serves: () => config }
}
/** Ports of the node, each with HTTP or a backend. */
const ports = (values: readonly string[]) =>
  fc
    .uniqueArray(fc.tuple(fc.integer({ min: 1, max: 30 }), fc.constantFrom(...values)), { selector: ([port]) => port })
    .map((all) =>
      withoutEmpty({
        TCP: Object.fromEntries(
          all.map(([port, value]) => [port, value === 'http' ? { HTTP: true } : { TCPForward: value }]),
        ),
      }),
    )
const refusal = (status: number, words: string) =>
  new LocalApiError('LocalAPI failed', new Refusal(status, words, undefined))
const apply = (api: TaggedApi, config: ServeConfig, now = world({})) =>
  serveReconciler(api, () => {}, signal).apply({ config, domain: undefined, restarts: 0 }, now)

describe('a serve config is applied', () => {
  const [one, other] = [{ TCP: forward }, { TCP: { 5432: { HTTP: true } } }]

  it('in one write, and not again while it is served', async () => {
    const { api, written } = daemon({})
    expect(await apply(api, one)).toBe(true)
    expect(await apply(api, one)).toBe(false)
    expect(written).toEqual([one])
  })

  it('removing and adding Tailscale Services that tailscaled kept, unless the node hosts them already', async () => {
    const config = { ...one, Services: { 'svc:a': { TCP: forward } } }
    const kept = daemon(config)
    expect(await apply(kept.api, config)).toBe(true)
    expect(kept.written).toEqual([one, config])
    const { tailnet } = world({})
    const hosting = world({}, { tailnet: { ...tailnet, hosted: ['svc:a'] } })
    const hosted = daemon(config)
    expect(await apply(hosted.api, config, hosting)).toBe(false)
    expect(hosted.written).toEqual([])
  })

  it('over a concurrent write, after reading that', async () => {
    const tailscaled = daemon({}, (_config, count) => {
      if (count > 2) return undefined
      tailscaled.change({ TCP: { [count]: { HTTP: true } } })
      return refusal(412, 'precondition failed')
    })
    expect(await apply(tailscaled.api, one)).toBe(true)
    expect(tailscaled.serves()).toEqual(one)
  })

  it('with an error after too many concurrent writes', async () => {
    const { api } = daemon({}, () => refusal(412, 'precondition failed'))
    await expect(apply(api, one)).rejects.toMatchObject({ refusal: { status: 412 } })
  })

  it('or what was served before is restored, when the second write is refused', async () => {
    const { api, written, serves } = daemon(one, (_config, count) =>
      count === 2 ? refusal(500, 'no such thing') : undefined,
    )
    expect(await apply(api, other)).toMatchObject({
      problem: { code: 'localapi', message: expect.stringMatching(/port 5432: .*no such thing/) as string },
    })
    expect(serves()).toEqual(one)
    expect(written).toEqual([{}, one])
  })

  it('without the entries that tailscaled refuses, found in few writes: these stay as they were', async () => {
    const isBad = (entry: unknown) => JSON.stringify(entry ?? {}).includes('bad')
    await fc.assert(
      fc.asyncProperty(
        ports(['a:1', 'b:2', 'http']),
        ports(['a:1', 'c:3', 'http', 'bad:4']),
        async (found, desired) => {
          let writes = 0
          const { api, serves } = daemon(found, (config) => {
            writes += 1
            const changed = Object.entries(config.TCP ?? {}).some(([port, { HTTP }]) => {
              const before = serves().TCP?.[port]
              return before !== undefined && before.HTTP !== HTTP
            })
            if (changed) return refusal(400, 'a port changes in kind')
            return isBad(config) ? refusal(400, 'bad backend') : undefined
          })
          const due = new Map(entriesOf(desired))
          const bad = [...due].flatMap(([name, entry]) => (isBad(entry) ? [name] : []))
          for (const name of bad) {
            const before = entriesOf(found).get(name)
            if (before === undefined) due.delete(name)
            else due.set(name, before)
          }
          const outcome = await apply(api, desired)
          expect(entriesOf(serves())).toEqual(due)
          const deep = Math.ceil(Math.log2(entriesOf(found).size + entriesOf(desired).size + 2))
          expect(writes).toBeLessThanOrEqual(4 + bad.length * deep * 6)
          if (bad.length === 0) return
          if (typeof outcome === 'boolean') throw new Error('it hides what was refused')
          expect(outcome.problem).toMatchObject({
            code: 'localapi',
            message: expect.stringContaining('bad backend') as string,
          })
          expect(entriesOf(outcome.verified.config)).toEqual(due)
        },
      ),
    )
  })

  it('or not at all, when tailscaled refuses even what it serves', async () => {
    let writes = 0
    const { api, serves } = daemon(one, () => {
      writes += 1
      return refusal(400, 'config file is locked')
    })
    const many = { TCP: Object.fromEntries(Array.from({ length: 100 }, (_, n) => [n + 1, { TCPForward: 'a:1' }])) }
    await expect(apply(api, many)).rejects.toMatchObject({
      code: 'localapi',
      cause: { words: 'config file is locked' },
    })
    expect([writes, serves()]).toEqual([2, one])
  })

  it('with an error that names what is not served afterwards', async () => {
    const api: TaggedApi = { getTagged: async () => ({ text: 'null', etag: '' }), replace: async () => {} }
    await expect(apply(api, { ...one, Services: { 'svc:a': {} } })).rejects.toMatchObject({
      code: 'verification-failed',
      message: expect.stringMatching(/port 5432, svc:a differ/) as string,
    })
  })
})
