import { expect, it } from 'vitest'
import { renderStatus, type StatusAnswer } from '../../../agent/cli/status.ts'
import { planForwarding } from '../../../agent/forwarding/reconciler.ts'
import { notReady, checks } from '../../../agent/status/checks.ts'
import { statusView } from '../../../agent/status/status.ts'
import type { World } from '../../../agent/world/world.ts'
import { rangeText } from '../../../netfilter/port-ranges.ts'
import type { Ports } from '../../../wire/serve-config.ts'
import { aWorld } from '../a-world.ts'
import { aServingWorld } from '../serve/a-serving-world.ts'

const env = { TS_USERSPACE: 'false', TS_DEST_IP: '10.0.0.9', CULVERT_DEST_PORTS: 'tcp/80,tcp/440-445,udp/443' }
const serving = (TCP: Ports): World => aServingWorld({ config: { TCP } }, {}, env)
const forwarded = (world: World): string[] | undefined => {
  const plan = planForwarding(world)
  return plan === undefined || plan === 'guard' ? undefined : plan.table.ingressByPort[4]?.ports.map(rangeText)
}
const shown = (world: World): string =>
  renderStatus(
    statusView(world, { version: '1.2.3', since: () => undefined, now: new Date(0) }) as unknown as StatusAnswer,
  )
const check = (world: World) => checks(world).find(({ name }) => name === 'ports')

it('all listed ports are forwarded while nothing is served', () => {
  expect(forwarded(aWorld({}, env))).toEqual(['tcp/80', 'tcp/440-445', 'udp/443'])
  expect(shown(aWorld({}, env))).toContain('target 10.0.0.9: from 100.64.0.1\nports: tcp/80, tcp/440-445, udp/443\n')
  expect(check(aWorld({}, env))).toMatchObject({ state: 'ok' })
})

it('a port of the serve config is not forwarded, also before it is served, which is reported', () => {
  const world = serving({ 443: { HTTPS: true }, 8080: { HTTP: true } })
  expect(forwarded(world)).toEqual(['tcp/80', 'tcp/440-442', 'tcp/444-445', 'udp/443'])
  const problem =
    'tcp/443 is in the serve config and in CULVERT_DEST_PORTS: it is served and not forwarded. Remove it from one of the two'
  expect(check(world)).toMatchObject({ state: 'failing', reason: problem, gates: false })
  expect(notReady(world).filter((reason) => reason.includes('443'))).toEqual([])
  expect(shown(world)).toContain(`ports: tcp/80, tcp/440-442, tcp/444-445, udp/443\n  ! ${problem}\n`)
})

it('says so if all ports are served', () => {
  const all = Object.fromEntries([80, 440, 441, 442, 443, 444, 445].map((port) => [port, { HTTP: true }]))
  const world = aServingWorld({ config: { TCP: all } }, {}, { ...env, CULVERT_DEST_PORTS: 'tcp/80,tcp/440-445' })
  expect(forwarded(world)).toEqual([])
  expect(shown(world)).toContain('ports: ! none is forwarded\n')
})

it('a name has all its addresses as backends of the listed ports', () => {
  const address = (text: string) => ({ family: 4 as const, text })
  const destination = {
    addresses: [address('10.0.0.9'), address('10.0.0.8')],
    left: [],
    refused: [],
    failures: 0,
    resolved: { as: 'db.test.', at: new Date(0) },
  }
  const byName = { TS_USERSPACE: 'false', TS_EXPERIMENTAL_DEST_DNS_NAME: 'db.test', CULVERT_DEST_PORTS: 'tcp/8080:80' }
  const world = aWorld({ destination }, byName)
  expect(planForwarding(world)).toMatchObject({
    table: { ingressByPort: { 4: { addresses: ['100.64.0.1'], backends: ['10.0.0.8', '10.0.0.9'] }, 6: undefined } },
  })
  expect(forwarded(world)).toEqual(['tcp/8080:80'])
})

it('a serve config with the same ports plans nothing new', () => {
  const [first, then] = [serving({ 443: { HTTPS: true } }), serving({ 443: { TCPForward: '10.0.0.8:1' } })]
  expect(planForwarding({ ...first })).toBe(planForwarding({ ...first, mounted: then.mounted }))
})

it('without listed ports there is no check, and everything is forwarded', () => {
  const world = aServingWorld({}, {}, { TS_USERSPACE: 'false', TS_DEST_IP: '10.0.0.9' })
  expect([check(world), forwarded(world)]).toEqual([undefined, undefined])
  expect(shown(world)).not.toContain('ports: ')
})
