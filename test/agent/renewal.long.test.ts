import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { startBed, startTraffic } from '../lab/bed.ts'
import type { Echo } from '../lab/traffic/protocol.ts'
import { writeVolume } from '../lib/kubelet-volume.ts'
import { noEntries, printLogsOnFailure } from '../lab/vitest.ts'
import { startReplica } from './certificate-replica.ts'
import { SecretBed } from './secret-bed.ts'
import { TlsSecret } from './tls-secret.ts'

/** The validity of a certificate, in seconds; it is renewed after two thirds of that. */
const validity = 60
const minutes = 6

test('certificates valid for a minute are renewed in time: no request gets an expired one', async () => {
  const name = 'group-0'
  const domain = 'web.lab.ts.net'
  await using bed = await startBed({
    acme: { validity },
    hosts: {
      [name]: { network: 'cluster' },
      client: { network: 'wan', tailscaled: true },
    },
    cluster: { nodes: 0 },
  })
  printLogsOnFailure(bed)
  await bed.control.putService('svc:web', { ports: ['tcp:443'], autoApprove: true })
  const state = await SecretBed.make(bed, name, { host: name })
  const secret = new TlsSecret(bed, domain)
  await secret.grant([name])
  await secret.put()
  const handlers = { '/': { Text: JSON.stringify({ host: 'web', peer: '', peerPort: 0, data: '' } satisfies Echo) } }
  const config = {
    Services: { 'svc:web': { TCP: { 443: { HTTPS: true } }, Web: { [`${domain}:443`]: { Handlers: handlers } } } },
  }
  await writeVolume(bed.host(name).path('/etc/serve'), { 'serve-config.json': JSON.stringify(config) })
  await using proxy = await startReplica(bed, name, state)
  await proxy.until(({ certificates }) => certificates.some(({ problem, expires }) => problem === null && expires))
  const endless = { count: 1_000_000, duration: 3_600_000, every: 250, patience: 5000 }
  const load = await startTraffic(bed.host('client'), { to: domain, protocol: 'https', mode: 'connect', ...endless })
  await delay(minutes * 60_000)
  const { sent, answered, failures } = await load.stop()
  expect({ failures, answered }).toEqual({ failures: [], answered: sent })
  const orders = await bed.acme.orders()
  const issued = orders.filter((order) => order.issued).length
  console.log(`${sent} requests, ${orders.length} orders, ${issued} certificates`)
  const lives = (minutes * 60) / validity
  expect(issued).toBeGreaterThan(lives)
  // tailscaled also renews by itself when a client connects and the authority says it is time; both may begin at once.
  expect(orders.length).toBeLessThan(3 * lives)
  const [certificate] = (await proxy.status()).certificates
  expect(certificate).toMatchObject({ failures: noEntries, problem: null })
})
