import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ask, startBed, startCapture, startEcho, startTraffic, type Bed, type HostProcess } from '../bed.ts'
import { noEntries, printLogsOnFailure } from '../vitest.ts'

let bed: Bed<'caller' | 'backend'>
let echo: HostProcess
beforeAll(async () => {
  bed = await startBed({ hosts: { caller: { network: 'cluster' }, backend: { network: 'cluster' } } })
})
afterAll(() => bed.down())
beforeEach(async () => {
  printLogsOnFailure(bed)
  echo ??= await startEcho(bed.host('backend'), { ports: [7000, 7001], name: 'first' })
})

const ways = (['v4', 'v6'] as const).flatMap((family) =>
  (['tcp', 'udp'] as const).flatMap((protocol) =>
    (['flow', 'connect'] as const).map((mode) => ({ family, protocol, mode })),
  ),
)

test.each(ways)(
  'everything is answered, and captured on the wire: $protocol $family $mode',
  async ({ family, protocol, mode }) => {
    const caller = bed.host('caller')
    const backend = bed.host('backend')
    const to = backend.address[family]!
    const capture = await startCapture(backend, 'eth0', `${protocol} port 7001`)
    const traffic = await startTraffic(caller, { to, port: 7001, protocol, mode, every: 5, count: 100, padding: 100 })
    const report = await traffic.done()
    expect(report).toMatchObject({
      sent: 100,
      answered: 100,
      lost: 0,
      errors: noEntries,
      answeredBy: { first: 100 },
      seenAs: [caller.address[family]],
    })
    expect(report.broken).toBeUndefined()
    const packets = await capture.stop()
    const asked = packets.filter((packet) => packet.to.port === 7001)
    expect(asked.length).toBeGreaterThanOrEqual(protocol === 'udp' ? 100 : 50)
    expect(new Set(asked.map((packet) => packet.from.address))).toEqual(new Set([caller.address[family]]))
    const ports = new Set(asked.map((packet) => packet.from.port))
    // A port that was just released may be used again.
    expect(mode === 'flow' ? ports.size === 1 : ports.size > 80).toBe(true)
  },
)

test('failures are counted by their kind', async () => {
  const to = bed.host('backend').address.v4!
  const refused = await startTraffic(bed.host('caller'), { to, port: 7009, protocol: 'tcp', mode: 'connect', count: 5 })
  expect(await refused.done()).toMatchObject({ sent: 5, answered: 0, lost: 0, errors: { ECONNREFUSED: 5 } })
  // To an address that nobody has, the kernel would at some time refuse it.
  const silent = await startEcho(bed.host('backend'), { ports: [7010], name: 'silent' })
  silent.kill('SIGSTOP')
  const nobody = await startTraffic(bed.host('caller'), {
    to,
    port: 7010,
    protocol: 'udp',
    mode: 'connect',
    count: 2,
    patience: 200,
  })
  expect((await nobody.done()).errors).toEqual({ ETIMEDOUT: 2 })
  silent.kill('SIGCONT')
  await silent.stop()
  await expect(ask(bed.host('caller'), { to, port: 7009, protocol: 'udp' })).rejects.toThrow('ECONNREFUSED')
})

test('a gap is measured, and a flow that the other side ends is reported as broken', async () => {
  const to = bed.host('backend').address.v6!
  const [tcp, udp] = await Promise.all([
    startTraffic(bed.host('caller'), { to, protocol: 'tcp', every: 10 }),
    startTraffic(bed.host('caller'), { to, protocol: 'udp', every: 10, patience: 300 }),
  ])
  await expect.poll(() => [tcp, udp].every(({ report }) => (report?.answered ?? 0) > 0)).toBe(true)
  echo.kill('SIGSTOP')
  await new Promise((resolve) => {
    setTimeout(resolve, 400)
  })
  echo.kill('SIGCONT')
  await echo.stop()
  const broken = await tcp.done()
  expect(broken.broken?.code).toMatch(/ECONNRESET|EOF/)
  expect(broken.longestGap).toBeGreaterThanOrEqual(300)
  await expect.poll(() => Object.keys(udp.report?.errors ?? {})).toContain('ECONNREFUSED')
  const lossy = await udp.stop()
  expect(lossy.answered).toBeLessThan(lossy.sent)
})
