import { afterAll, beforeAll, beforeEach, it } from 'vitest'
import { startEcho } from '../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { exchangeSlowRules, exchangeUnderLoad } from './exchanges.ts'
import { firewalls } from './firewalls.ts'
import { startTunnelBed, type TunnelBed } from './tunnel-bed.ts'

let bed: TunnelBed
beforeAll(async () => {
  bed = await startTunnelBed()
  await startEcho(bed.host('peer'), { ports: [7001] })
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

it.each(firewalls)('%s: 200 replacements of all rules lose no packet of 1,000 ports under load', (firewall) =>
  exchangeUnderLoad(bed, 200, firewall),
)

it('400 replacements refuse no new connection, however long each takes to evaluate', () => exchangeSlowRules(bed, 400))
