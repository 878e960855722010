import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { ask, type Host } from '../lab/bed.ts'
import { fqdnOf, tlsObjects } from '../lab/cluster/ingress.ts'
import { proxyNamespace } from '../lab/cluster/proxy.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { makePair } from '../certs/make.ts'
import { IngressBed } from './ingress-bed.ts'
import { expectOneIssuer, killUnderLoad } from './ingress-load.ts'

const app = 'app'
const fqdn = fqdnOf({ name: app })

let ingress: IngressBed
beforeAll(async () => {
  ingress = await IngressBed.start({ env: { CULVERT_TEST_SHORT_WAITS: 'true' } })
})
afterAll(() => ingress[Symbol.asyncDispose]())
beforeEach(() => printLogsOnFailure(ingress.bed))

/** The certificate that the server presents. */
async function shown(client: Host): Promise<X509Certificate> {
  const argv = ['openssl', 's_client', '-connect', `${fqdn}:443`, '-servername', fqdn]
  return new X509Certificate((await client.exec(argv, { input: '' })).stdout.replace(/^.*?(?=-----BEGIN)/s, ''))
}

test('clients of the tailnet have HTTPS through three replicas, with the one certificate that was issued', async () => {
  await ingress.add({ name: app, backend: { name: 'web', port: 80 } })
  await ingress.serves(app)
  await ingress.ready()
  const { hosts, addresses } = await ingress.service(app)
  expect(hosts.map(({ clients }) => clients.length)).toEqual([1, 1, 1])
  const stored = new X509Certificate((await ingress.pair(app))!.crt)
  expect(stored.subjectAltName).toBe(`DNS:${fqdn}`)
  for (const client of ingress.clients) {
    for (const to of addresses) {
      const answer = await ask(client, { to, name: fqdn, protocol: 'https' })
      expect(answer.host).toBe('web')
    }
    expect((await shown(client)).fingerprint256).toBe(stored.fingerprint256)
  }
  await expectOneIssuer(ingress, 1)
})

test('the replica that issues certificates is killed under load, and returns as the same node', async () => {
  await killUnderLoad(ingress, app, ingress.replicas.slice(0, 1))
  expect((await ingress.bed.control.nodes()).length).toBe(ingress.clients.length + ingress.replicas.length)
  await expectOneIssuer(ingress, 1)
})

test('when a TLS Secret is deleted, readers keep their certificate, and it is filled again once its owner recreates it', async () => {
  const { bed } = ingress
  const before = new X509Certificate((await ingress.pair(app))!.crt)
  await bed.cluster.kubectl(['delete', 'secret', fqdn, `--namespace=${proxyNamespace}`])
  const { clients: ofIssuer = [] } = (await ingress.service(app)).hosts.find(({ node }) => node === 'ingress-0') ?? {}
  for (const client of ingress.clients.filter(({ name }) => !ofIssuer.includes(name))) {
    expect(await ingress.get(client, app)).toBe('web')
  }
  await ingress.operate()
  await ingress.serves(app)
  expect(new X509Certificate((await ingress.pair(app))!.crt).serialNumber).not.toBe(before.serialNumber)
  for (const client of ingress.clients) expect(await ingress.get(client, app)).toBe('web')
  await expectOneIssuer(ingress, 2)
})

test('a TLS Secret with a certificate of another name is written again', async () => {
  const { bed } = ingress
  const [secret] = tlsObjects('ingress', { name: app })
  const { certificate, key } = await makePair(['other.lab.ts.net'])
  await bed.cluster.apply({ ...secret!, data: undefined, stringData: { 'tls.crt': certificate, 'tls.key': key } })
  const subject = async () => new X509Certificate((await ingress.pair(app))!.crt).subjectAltName
  await expect.poll(subject).toBe(`DNS:${fqdn}`)
  for (const client of ingress.clients) expect(await ingress.get(client, app)).toBe('web')
  await expectOneIssuer(ingress, 3)
})
