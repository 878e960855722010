import { afterEach, beforeEach, expect, it } from 'vitest'
import { podEvents } from '../../../agent/world/pod-events.ts'
import { readMemory, withIssueState } from '../../../agent/certificates/memory.ts'
import { readTlsSecret, refusesWrites } from '../../../agent/certificates/secret.ts'
import { shortTimings } from '../../../agent/world/timings.ts'
import { ApiServer, json, secretJson, statusJson } from '../../kube/api-server.ts'
import type { CertificateMemory } from '../../../wire/certificate-memory.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aWorld } from '../a-world.ts'

const domain = 'web.lab.ts.net'
const never = new AbortController().signal
let server: ApiServer
beforeEach(async () => {
  server = await ApiServer.start()
})
afterEach(() => server[Symbol.asyncDispose]())

it('reads the Secret named like the domain', async () => {
  server.answer = (_seen, response) => json(response, secretJson(domain, '1', { 'tls.crt': 'C', 'tls.key': 'K' }))
  expect(await readTlsSecret(server.client(), domain, never)).toEqual({
    certificate: Buffer.from('C'),
    key: Buffer.from('K'),
  })
  expect(server.seen[0]?.url).toBe(`/api/v1/namespaces/ts/secrets/${domain}`)
})

it.each([
  [404, 'NotFound', 'secret-missing', /there is no Secret "web\.lab\.ts\.net" in namespace "ts"/],
  [403, 'Forbidden', 'secret-forbidden', /may not get Secret "web\.lab\.ts\.net"/],
  [500, 'InternalError', 'secret-unreadable', /cannot be looked at: .*500/],
])('reports %i', async (status, reason, expected, text) => {
  server.answer = (_seen, response) => json(response, statusJson(status, reason, 'no'), status)
  expect(await readTlsSecret(server.client(), domain, never)).toMatchObject({
    reason: expected,
    text: expect.stringMatching(text) as string,
  })
})

it('reviews whether it may write there, and assumes so without an answer', async () => {
  const answers = [{ status: { allowed: true } }, { status: { allowed: false } }, {}]
  server.answer = (_seen, response) => json(response, answers.shift())
  const kube = server.client()
  expect(await refusesWrites(kube, domain, never)).toBeUndefined()
  expect(await refusesWrites(kube, domain, never)).toMatchObject({
    reason: 'secret-forbidden',
    text: expect.stringContaining('patch') as string,
  })
  expect(await refusesWrites(kube, domain, never)).toBeUndefined()
})

it('creates an Event about the Pod if its UID is known, and ignores the answer', async () => {
  server.answer = (_seen, response) => json(response, statusJson(403, 'Forbidden', 'no'), 403)
  const event = { type: 'Warning', reason: 'CertificateRateLimit', message: 'x'.repeat(2000) } as const
  podEvents(server.client(), aWorld().settings, never)(event)
  const { settings } = aWorld({}, { TS_USERSPACE: 'true', POD_NAME: 'group-0', POD_UID: 'u1' })
  podEvents(server.client(), settings, never)(event)
  await expect.poll(() => server.seen).toHaveLength(1)
  expect(server.seen[0]).toMatchObject({ method: 'POST', url: '/api/v1/namespaces/ts/events' })
  expect(JSON.parse(server.seen[0]!.body)).toMatchObject({
    kind: 'Event',
    involvedObject: { kind: 'Pod', namespace: 'ts', name: 'group-0', uid: 'u1' },
    type: 'Warning',
    reason: 'CertificateRateLimit',
    message: 'x'.repeat(1024),
  })
})

const turn = { failures: 2, notBefore: Date.parse('2026-11-24T13:00:00Z'), reason: 'rate-limit' }
const written = `{"version":1,"domains":{"a.ts.net":{"failures":2,"reason":"rate-limit","notBefore":"2026-11-24T13:00:00.000Z"}}}`

it.each<[string, Record<string, string>, ReadonlyMap<string, unknown> | undefined, RegExp]>([
  ['nothing', {}, undefined, /^$/],
  ['the stored memory', { 'culvert-certificates': written }, new Map([['a.ts.net', turn]]), /^$/],
  [
    'nonsense',
    { 'culvert-certificates': 'hunter2' },
    new Map(),
    /^warning: culvert-certificates of Secret "s" cannot be read, and counts as absent$/,
  ],
])('reads %s, once the API is back', async (_name, values, expected, logged) => {
  let calls = 0
  server.answer = (_seen, response) => {
    calls += 1
    json(
      response,
      calls === 1 ? statusJson(500, 'InternalError', 'no') : secretJson('s', '1', values),
      calls === 1 ? 500 : 200,
    )
  }
  const lines: string[] = []
  const clock = new VirtualClock(new Date(turn.notBefore))
  const reading = readMemory(
    {
      kube: server.client(),
      secret: 's',
      log: ({ text }) => lines.push(text),
      timings: shortTimings,
      clock,
    },
    never,
  )
  await expect.poll(() => clock.pending).toBe(1)
  await clock.next()
  expect(await reading).toEqual(expected)
  expect(calls).toBe(2)
  expect(lines.join('\n')).toMatch(logged)
})

it('stores failures only, and those of other names while they matter', () => {
  const now = turn.notBefore
  const memory: CertificateMemory = new Map([
    ['a.ts.net', turn],
    ['old.ts.net', { ...turn, notBefore: now - 90_000_000 }],
  ])
  const other = { failures: 1, notBefore: now + 1, reason: 'other' }
  expect(withIssueState(memory, 'b.ts.net', other, now)).toEqual(
    new Map([
      ['a.ts.net', turn],
      ['b.ts.net', other],
    ]),
  )
  expect(withIssueState(memory, 'a.ts.net', { failures: 0, notBefore: now + 1 }, now)).toEqual(new Map())
})
