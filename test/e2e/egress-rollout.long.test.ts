import { test } from 'vitest'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { echoPort, EgressBed } from './egress-bed.ts'
import { expectNothingFailed, restartUnderLoad } from './egress-rollout.ts'

test('twenty rolling restarts under load, with all waits at full length: no new connection fails', async () => {
  await using egress = await EgressBed.start({ retry: 5000 })
  printLogsOnFailure(egress.bed)
  await egress.add({
    name: 'db',
    target: { fqdn: 'db.lab.ts.net' },
    ports: [{ port: echoPort, protocol: 'TCP', matchPort: 10_000 }],
  })
  await egress.ready()
  expectNothingFailed(await restartUnderLoad(egress, 'db', 20))
}, 3_600_000)
