import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gateway } from './ground/addresses.ts'
import { enterNetwork } from './ground/enter.ts'
import { seenFrom } from './ground/files.ts'
import { isAlive, type Proc } from './ground/procs.ts'
import type { placesOf } from './ground/record.ts'
import { endedEarly, startDaemon } from './hosts/daemon.ts'
import { poll } from './poll.ts'
import { run } from './run.ts'

const address = gateway('wan').v4
const ports = { directory: 14000, management: 15000 } as const

/** Where every host finds whom to trust, as named inside. */
const trusted = '/etc/lab-ca.pem'

/** What a tailscaled must have in its environment to get certificates from the bed's authority and to accept them. */
export const acmeEnv = {
  TS_DEBUG_ACME_DIRECTORY_URL: `https://${address}:${ports.directory}/dir`,
  SSL_CERT_FILE: trusted,
} as const

export type Authority = {
  readonly process: Proc
  /** The authority's own certificate and the root of those it issues, PEM. */
  readonly trust: string
}

/** Starts a certificate authority (pebble) that proves names through the bed's name server, with keys of its own. */
export async function startAcme(bed: number, places: ReturnType<typeof placesOf>, pebble: string): Promise<Authority> {
  const file = (name: string): string => join(places.acme, name)
  await mkdir(places.acme, { mode: 0o700 })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file('key.pem')]
  const subject = ['-subj', '/CN=lab', '-addext', `subjectAltName=IP:${address}`]
  await run(['openssl', 'req', '-x509', '-days', '30', ...key, ...subject, '-out', file('cert.pem')], {
    doing: "make the certificate authority's own certificate",
  })
  const settings = {
    listenAddress: `${address}:${ports.directory}`,
    managementListenAddress: `${address}:${ports.management}`,
    certificate: file('cert.pem'),
    privateKey: file('key.pem'),
    keyAlgorithm: 'ecdsa',
    profiles: { default: { description: 'ninety days', validityPeriod: 90 * 86_400 } },
  }
  await writeFile(file('pebble.json'), JSON.stringify({ pebble: settings }))
  const log = join(places.logs, 'pebble.log')
  const argv = [join(pebble, 'pebble'), '-config', file('pebble.json'), '-dnsserver', `${address}:53`]
  // Left alone it tries its clients: it waits before each validation, refuses one request in twenty, and takes proofs
  // of earlier orders for new ones, which tailscaled then proves once more and is refused.
  const env = { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0', PEBBLE_AUTHZREUSE: '0' }
  const daemon = await startDaemon(bed, argv, { env, log })
  await poll('the start of pebble', 10_000, async () => {
    const said = await readFile(log, 'utf8')
    if (said.includes('Listening on')) return true
    if (!isAlive(daemon)) throw endedEarly(argv, log)
    return undefined
  })
  const own = await readFile(file('cert.pem'), 'utf8')
  return { process: daemon, trust: `${own.trim()}\n${(await issuingRoot(bed, file('cert.pem'))).trim()}\n` }
}

/** Lets a host trust the authority and what it issues. */
export async function trust(pid: number, authority: Authority): Promise<void> {
  await writeFile(seenFrom(pid, trusted), authority.trust)
}

/** The root of the certificates that pebble issues: made anew at each of its starts, told by its management interface. */
async function issuingRoot(bed: number, certificate: string): Promise<string> {
  const program = `process.stdout.write(await (await fetch('https://${address}:${ports.management}/roots/0')).text())`
  const { stdout } = await run([...enterNetwork(bed), process.execPath, '--input-type=module', '--eval', program], {
    env: { NODE_EXTRA_CA_CERTS: certificate, PATH: process.env['PATH'] ?? '' },
    doing: "ask pebble for its issuing certificate's root",
  })
  return stdout
}
