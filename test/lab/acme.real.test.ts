import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { testBed } from './vitest.ts'

test('a node gets a certificate for its name from an authority that proves it by DNS', async () => {
  await using bed = await testBed({ acme: true, hosts: { client: { network: 'wan', tailscaled: true } } })
  const client = bed.host('client')
  const get = async (): Promise<X509Certificate> => {
    const { stdout } = await client.exec([
      'tailscale',
      'cert',
      '--cert-file=-',
      '--key-file=/tmp/key.pem',
      'client.lab.ts.net',
    ])
    return new X509Certificate(stdout)
  }
  const certificate = await get()
  expect(certificate.subjectAltName).toBe('DNS:client.lab.ts.net')
  expect(certificate.issuer).toContain('Pebble')
  const { events } = await bed.control.events()
  expect(events.map(({ kind }) => kind)).toContain('set-dns')
  // It is valid to the node itself, which therefore asks for no other.
  expect((await get()).serialNumber).toBe(certificate.serialNumber)
  await expect(client.exec(['tailscale', 'cert', 'other.lab.ts.net'])).rejects.toThrow(/other\.lab\.ts\.net/)
})
