import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { parseEgressServices, renderEgressServices } from '../../wire/egress-services.ts'
import { pack, packText, unpack, unpackText } from '../../wire/packed.ts'

test('a compressed document is read as the document itself, and any other stays as it is', () => {
  for (const text of ['', '{}', 'ü'.repeat(1000)]) {
    expect(unpack(pack(text)).toString()).toBe(text)
    expect(unpack(Buffer.from(text)).toString()).toBe(text)
    expect(unpackText(packText(text))).toBe(text)
    expect(unpackText(text)).toBe(text)
  }
})

test('one that is damaged, or larger than any can be, is refused', () => {
  const damaged = pack('some text'.repeat(100)).subarray(0, 20)
  expect(() => unpack(damaged)).toThrow(/cannot be decompressed/)
  expect(unpackText(`gzip:${damaged.toString('base64')}`)).toBeUndefined()
  expect(() => unpack(gzipSync(Buffer.alloc(33 * 1024 * 1024)))).toThrow(/cannot be decompressed/)
})

test('22,000 services of egress fit into a ConfigMap, compressed', () => {
  const services = Array.from({ length: 22_000 }, (_, index) => ({
    name: `team-${index % 50}-service-${index}`,
    tailnetTarget: { ip: '', fqdn: `host-${(index * 7919) % 22_000}.example.ts.net` },
    ports: [{ protocol: 'tcp' as const, matchPort: 10_000 + ((index * 7561) % 22_000), targetPort: 5432 }],
    healthCheckEndpoint: `http://ts-service-${index}-${((index * 104_729) % 1_679_616).toString(36)}.tailscale.svc.cluster.local:9002/healthz`,
  }))
  const text = renderEgressServices(services)
  expect(text.length).toBeGreaterThan(4 * 1024 * 1024)
  const packed = pack(text)
  expect(packed.length).toBeLessThan(1024 * 1024)
  const { services: read, rejections } = parseEgressServices(packed)
  expect([read.size, rejections]).toEqual([22_000, []])
})
