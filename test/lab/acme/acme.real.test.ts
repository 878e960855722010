import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { type Bed, startBed } from '../bed.ts'
import { printLogsOnFailure } from '../vitest.ts'
import type { AcmeFault } from './faults.ts'
import { trusted } from './paths.ts'
import { acmeEnv } from './start.ts'

const validity = 3600

let bed: Bed<'client'>
beforeAll(async () => {
  bed = await startBed({ acme: { validity }, hosts: { client: { network: 'wan', tailscaled: true } } })
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

async function certificate(name: string, ...options: readonly string[]): Promise<X509Certificate> {
  const files = ['--cert-file=-', '--key-file=/tmp/key.pem', ...options]
  const { stdout } = await bed.host('client').exec(['tailscale', 'cert', ...files, name])
  return new X509Certificate(stdout)
}

test('a node gets a certificate for its name from an authority that validates by DNS', async () => {
  const name = 'client.lab.ts.net'
  const got = await certificate(name)
  expect(got.subjectAltName).toBe(`DNS:${name}`)
  expect(got.issuer).toContain('Pebble')
  const seconds = (got.validToDate.getTime() - got.validFromDate.getTime()) / 1000
  expect(seconds).toBeGreaterThan(validity - 10)
  expect(seconds).toBeLessThan(validity + 10)
  const { events } = await bed.control.events()
  expect(events.map(({ kind }) => kind)).toContain('set-dns')
  // tailscaled considers it valid, and requests no other.
  expect((await certificate(name)).serialNumber).toBe(got.serialNumber)
  expect(await bed.acme.orders()).toEqual([{ domains: [name], at: expect.any(Number), issued: true }])
  await expect(certificate('other.lab.ts.net')).rejects.toThrow(/other\.lab\.ts\.net/)
})

test('a rate limit of new orders is kept, and the order repeated when it ends', async () => {
  const name = 'second.lab.ts.net'
  await bed.control.patchNode('client', { certDomains: [name] })
  const show = ['tailscale', 'status', '--json', '--peers=false']
  await expect.poll(async () => (await bed.host('client').exec(show)).stdout).toContain(name)
  await bed.acme.fault({ kind: 'rate-limited', retryAfter: 1, on: 'newOrder' })
  const asked = async () => (await bed.acme.requests('newOrder')).map(({ status }) => status)
  const got = certificate(name)
  await expect.poll(async () => (await asked()).at(-1)).toBe(429)
  expect(await bed.acme.orders(name)).toEqual([])
  await bed.acme.recover()
  expect((await got).subjectAltName).toBe(`DNS:${name}`)
  // More than once when it was not looked at in time.
  expect((await asked()).join(' ')).toMatch(/^201( 429)+ 201$/)
  expect(await bed.acme.orders(name)).toMatchObject([{ issued: true }])
})

test('a certificate is issued again with the validation of the last one', async () => {
  const name = 'client.lab.ts.net'
  const before = await certificate(name)
  const challenges = async () => (await bed.acme.requests()).filter(({ resource }) => resource.startsWith('/chalZ/'))
  const known = await challenges()
  expect((await certificate(name, '--min-validity=2h')).serialNumber).not.toBe(before.serialNumber)
  expect(await bed.acme.orders(name)).toMatchObject([{ issued: true }, { issued: true }])
  const [repeated, ...others] = (await challenges()).slice(known.length)
  expect(known.map(({ resource }) => resource)).toContain(repeated?.resource)
  expect(others).toEqual([])
})

test.each<[AcmeFault, object]>([
  [{ kind: 'rate-limited', retryAfter: 7 }, { stdout: expect.stringMatching(/:error:rateLimited".*\n429 7$/) }],
  [{ kind: 'error', status: 503 }, { stdout: expect.stringMatching(/:error:serverInternal".*\n503 $/) }],
  [
    { kind: 'slow', ms: 400 },
    { stdout: expect.stringMatching(/newOrder.*\n200 $/s), slow: true },
  ],
  [{ kind: 'silent' }, { exitCode: 28 }],
  [{ kind: 'refuse' }, { exitCode: 7 }],
])('the gateway to the authority can fail: %o', async (fault, seen) => {
  const url = acmeEnv.TS_DEBUG_ACME_DIRECTORY_URL
  const show = ['--write-out', '\\n%{http_code} %header{retry-after}']
  const ask = async (met?: AcmeFault) => {
    const begun = performance.now()
    const argv = [
      'curl',
      '--silent',
      '--max-time',
      met?.kind === 'silent' ? '1' : '60',
      '--cacert',
      trusted,
      ...show,
      url,
    ]
    const { stdout, exitCode } = await bed.host('client').exec(argv, { check: false })
    return { stdout, exitCode, slow: performance.now() - begun > 400 }
  }
  await bed.acme.fault(fault)
  expect(await ask(fault)).toMatchObject(seen)
  await bed.acme.recover()
  expect(await ask()).toMatchObject({ exitCode: 0, stdout: expect.stringMatching('newOrder') })
})
