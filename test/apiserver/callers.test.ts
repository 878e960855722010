import { describe, expect, it } from 'vitest'
import { Callers } from '../../apiserver/callers.ts'
import { LocalApiError, Refusal } from '../../localapi/error.ts'
import { parseAddress } from '../../lib/address.ts'
import { VirtualClock } from '../lib/virtual-clock.ts'
import { aWhois, granting } from './a-whois.ts'

const one = parseAddress('100.64.0.7')!
const other = parseAddress('fd7a:115c:a1e0::7')!

/** Callers of a tailscaled that answers as the test says; `asked` has the questions. */
function asking(answer: (path: string) => Promise<string> | string) {
  const clock = new VirtualClock()
  const asked: string[] = []
  const results: string[] = []
  const get = async (path: string): Promise<string> => {
    asked.push(decodeURIComponent(path))
    return answer(path)
  }
  const callers = new Callers({ get }, clock, new AbortController().signal, (result) => results.push(result))
  return { callers, clock, asked, results }
}

const failing = (cause: unknown) => () => Promise.reject(new LocalApiError('LocalAPI whois failed', cause))

describe('who an address is', () => {
  it('is asked once for requests that come together, and for some seconds', async () => {
    const { callers, clock, asked } = asking(() => aWhois(one.text))
    const [first, second] = await Promise.all([callers.at(one, 1), callers.at(one, 2)])
    await clock.advance(3999)
    const third = await callers.at(one, 3)
    expect(asked).toEqual(['whois?addr=100.64.0.7:1&proto=tcp'])
    expect([second, third]).toEqual([first, first])
    await clock.advance(1)
    await callers.at(one, 4)
    expect(asked.length).toBe(2)
  })

  it('is asked for each address, of IPv6 in brackets', async () => {
    const { callers, asked } = asking((path) => aWhois(path.includes('fd7a') ? other.text : one.text))
    await callers.at(one, 1)
    await callers.at(other, 2)
    expect(asked).toEqual(['whois?addr=100.64.0.7:1&proto=tcp', 'whois?addr=[fd7a:115c:a1e0::7]:2&proto=tcp'])
  })

  it('is asked again when the tailnet has changed', async () => {
    const { callers, asked } = asking(() => aWhois(one.text))
    await callers.at(one, 1)
    callers.forget()
    await callers.at(one, 1)
    expect(asked.length).toBe(2)
  })

  it('is not remembered if it was asked before the tailnet changed', async () => {
    const late = Promise.withResolvers<string>()
    const answers = [late.promise, Promise.resolve(aWhois(one.text))]
    const { callers, asked } = asking(() => answers.shift() ?? '')
    const before = callers.at(one, 1)
    callers.forget()
    await callers.at(one, 1)
    late.resolve(aWhois(one.text, { login: 'mallory@example.com' }))
    await before
    expect((await callers.at(one, 1)).identity.user).toBe('alice@example.com')
    expect(asked.length).toBe(2)
  })

  it('stays the same node for one connection', async () => {
    const nodes = ['nOld', 'nOld', 'nNew', 'nNew', 'nOld']
    const { callers } = asking(() => aWhois(one.text, { node: { StableID: nodes.shift() } }))
    const [former, latter] = [
      { address: one, port: 1 },
      { address: one, port: 1 },
    ]
    const isNode = async (origin: typeof former): Promise<string | undefined> => {
      callers.forget()
      return callers.of(origin).then(({ nodeId }) => nodeId, String)
    }
    expect([await isNode(former), await isNode(former)]).toEqual(['nOld', 'nOld'])
    expect(await isNode(former)).toMatch(/that of another device now/)
    expect(await isNode(latter)).toBe('nNew')
    expect(await isNode(former)).toBe('nOld')
  })

  it.each<[string, () => Promise<string> | string, number, string, 'refused' | 'failed']>([
    ['tailscaled knows nobody there', failing(new Refusal(404, 'no match', undefined)), 403, 'unknown-peer', 'refused'],
    ['tailscaled does not answer', failing(new Error('no answer')), 503, 'unconfirmed-peer', 'failed'],
    ['tailscaled refuses to say', failing(new Refusal(403, 'denied', undefined)), 503, 'unconfirmed-peer', 'failed'],
    ['tailscaled names another node', () => aWhois('100.64.0.8'), 503, 'unconfirmed-peer', 'failed'],
    ['the policy cannot be read', () => aWhois(one.text, { capMap: granting(7) }), 403, 'policy', 'refused'],
  ])('is refused, and asked again the next time: %s', async (_what, answer, status, reason, result) => {
    const { callers, asked, results } = asking(answer)
    await expect(callers.at(one, 1)).rejects.toMatchObject({ status, reason })
    await expect(callers.at(one, 1)).rejects.toMatchObject({ status, reason })
    expect([asked.length, results]).toEqual([2, [result, result]])
  })
})
