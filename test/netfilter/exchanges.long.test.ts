import { afterAll, beforeAll, beforeEach, it } from 'vitest'
import { startEcho } from '../lab/traffic/traffic.ts'
import { tellOnFailure } from '../lab/vitest.ts'
import { exchangeSlowRules, exchangeUnderLoad } from './exchanges.ts'
import { firewalls } from './firewalls.ts'
import { startTunnelBed, type TunnelBed } from './tunnel-bed.ts'

let bed: TunnelBed
beforeAll(async () => {
  bed = await startTunnelBed()
  await startEcho(bed.host('peer'), { ports: [7001] })
})
afterAll(() => bed.down())
beforeEach(() => tellOnFailure(bed))

it.each(firewalls)('%s: 200 exchanges of all rules lose nothing of 1,000 ports under load', (firewall) =>
  exchangeUnderLoad(bed, 200, firewall),
)

it('400 exchanges refuse no connection that begins in one, however long each is judged', () =>
  exchangeSlowRules(bed, 400))
