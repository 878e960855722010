import { describe, expect, it } from 'vitest'
import {
  askedServices,
  type Answerer,
  inWords,
  assessDrain,
  ownMark,
  round,
} from '../../../agent/preshutdown/rounds.ts'
import type { World } from '../../../agent/world/world.ts'
import { aDrainingWorld } from './a-draining-world.ts'

const here: Answerer = { from: 'here' }
const elsewhere: Answerer = { from: 'elsewhere' }
const nobody: Answerer = { from: 'nobody', problem: 'time is up' }

describe('a round', () => {
  it.each<[string, number, Answerer[], Answerer, number]>([
    ['sends no ping if there are to be none', 0, [], elsewhere, 0],
    ['sends all pings while others answer', 3, [elsewhere, elsewhere, elsewhere, here], elsewhere, 3],
    ['ends with the first answer of this Pod', 3, [here, elsewhere], here, 1],
    ['counts the last answer as well', 3, [elsewhere, elsewhere, here], here, 3],
    ['ends with the first ping without an answer', 3, [elsewhere, nobody, here], nobody, 2],
    ['sends a third at a time', 6, [elsewhere, elsewhere, here, elsewhere, elsewhere, elsewhere], here, 4],
    ['prefers an answer of this Pod to none', 6, [nobody, here, elsewhere], here, 2],
    ['sends at most ten pings at a time', 100, [...Array.from({ length: 29 }, () => elsewhere), here], here, 30],
  ])('%s', async (_name, pings, answers, expected, asked) => {
    let count = 0
    const ask = async (): Promise<Answerer> => answers[count++] ?? nobody
    expect(await round(ask, pings)).toEqual(expected)
    expect(count).toBe(asked)
  })
})

it.each<[Answerer, number, number, ReturnType<typeof assessDrain>, string]>([
  [elsewhere, 1, 0, 'waiting', 'asking once more, to be sure'],
  [elsewhere, 1, 99, 'waiting', 'asking once more, to be sure'],
  [elsewhere, 2, 0, 'drained', 'asking once more, to be sure'],
  [here, 0, 0, 'waiting', 'it routes here'],
  [here, 0, 99, 'waiting', 'it routes here'],
  [nobody, 0, 9, 'waiting', 'time is up'],
  [{ from: 'unclear', problem: 'too busy' }, 0, 99, 'waiting', 'too busy'],
  [nobody, 0, 10, 'given up', 'time is up'],
])('%j, elsewhere for %d rounds, after %d ms of silence: %s', (answer, elsewhereFor, silentMs, expected, words) => {
  expect(assessDrain(answer, { elsewhere: elsewhereFor, silentMs }, 10)).toBe(expected)
  expect(inWords(answer)).toBe(words)
})

const services = { a: 'http://a/' }
const world = aDrainingWorld(services)
const rejected = 'hep-pings: not a number'

it.each<[string, World, object]>([
  ['IPv4', world, { header: 'pod-ipv4', value: '10.0.0.1' }],
  ['both', aDrainingWorld(services, { POD_IPS: 'fd00::1,10.0.0.1' }), { header: 'pod-ipv4', value: '10.0.0.1' }],
  ['IPv6', aDrainingWorld(services, { POD_IPS: 'fd00::1' }), { header: 'pod-ipv6', value: 'fd00::1' }],
  ['no address', aDrainingWorld(services, { POD_IPS: '' }), { problem: expect.stringMatching(/^POD_IPS /) }],
  ['no answer', aDrainingWorld(services, { TS_ENABLE_HEALTH_CHECK: '' }), { problem: expect.stringMatching(/HEALTH/) }],
  [
    'no pings',
    { ...world, mounted: { ...world.mounted, healthPings: { content: undefined, rejected } } },
    { problem: rejected },
  ],
  [
    'older pings',
    { ...world, mounted: { ...world.mounted, healthPings: { content: 3, rejected } } },
    { header: 'pod-ipv4', value: '10.0.0.1' },
  ],
  [
    'no tailscaled',
    { ...world, daemon: { phase: 'down', restarts: 1 } },
    { problem: expect.stringMatching(/healthy/) },
  ],
])('recognises its own answers, or says why not: %s', (_name, given, expected) => {
  expect(ownMark(given)).toEqual(expected)
})

it('pings only services with a health URL', () => {
  expect(askedServices(aDrainingWorld({ a: 'http://a/', b: '', c: 'http://c/' }))).toEqual(['a', 'c'])
})
