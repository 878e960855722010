import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { enterNetwork } from '../namespaces/enter.ts'
import { seenFrom } from '../namespaces/files.ts'
import { isAlive, type Proc } from '../namespaces/procs.ts'
import type { pathsOf } from '../namespaces/record.ts'
import { endedEarly, startDaemon } from '../hosts/daemon.ts'
import { poll } from '../poll.ts'
import { run } from '../run.ts'
import { acmeAddress as address, acmePaths, acmePorts as ports, trusted } from './paths.ts'
import type { GatewaySettings } from './programs/gateway.ts'

/** The environment that a tailscaled needs to get certificates from the bed's authority and to trust them. */
export const acmeEnv = {
  TS_DEBUG_ACME_DIRECTORY_URL: `https://${address}:${ports.directory}/dir`,
  SSL_CERT_FILE: trusted,
} as const

export type AcmeSpec = {
  /** The validity of certificates in seconds; ninety days when left out. */
  readonly validity?: number
}

export type Authority = {
  readonly process: Proc
  /** The gateway in front of it, which can fail. */
  readonly gateway: Proc
  /** The authority's own certificate and the root of those it issues, PEM. */
  readonly trust: string
}

/**
 * Starts a certificate authority (pebble) that validates names through the bed's name server, with keys of its own, and
 * the gateway in front of it.
 */
export async function startAcme(
  bed: number,
  paths: ReturnType<typeof pathsOf>,
  pebble: string,
  { validity = 90 * 86_400 }: AcmeSpec,
): Promise<Authority> {
  const { directory, certificate, key, settings, socket, trust: trustFile } = acmePaths(paths.acme)
  await mkdir(directory, { mode: 0o700 })
  const keyArguments = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key]
  const subject = ['-subj', '/CN=lab', '-addext', `subjectAltName=IP:${address}`]
  await run(['openssl', 'req', '-x509', '-days', '30', ...keyArguments, ...subject, '-out', certificate], {
    doing: "make the certificate authority's own certificate",
  })
  const pebbleSettings = {
    listenAddress: `${address}:${ports.authority}`,
    managementListenAddress: `${address}:${ports.management}`,
    certificate,
    privateKey: key,
    keyAlgorithm: 'ecdsa',
    profiles: { default: { description: 'of the bed', validityPeriod: validity } },
  }
  await writeFile(settings, JSON.stringify({ pebble: pebbleSettings }))
  // By default pebble tests its clients: it waits before each validation, and refuses one request in twenty. Validations
  // of earlier orders are reused, as public authorities do: 0 would still reuse one in a hundred.
  const env = { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0', PEBBLE_AUTHZREUSE: '100' }
  const way = { address, port: ports.directory, authority: ports.authority, certificate, key, socket }
  const program = join(import.meta.dirname, 'programs', 'gateway.ts')
  const start = async (name: string, argv: string[], ready: RegExp, environment = {}): Promise<Proc> => {
    const log = join(paths.logs, `${name}.log`)
    const daemon = await startDaemon(bed, argv, { env: environment, log })
    await poll(`the start of ${name}`, async () => {
      if (ready.test(await readFile(log, 'utf8'))) return true
      if (!isAlive(daemon)) throw endedEarly(argv, log)
      return undefined
    })
    return daemon
  }
  const [authority, gateway] = await Promise.all([
    start('pebble', [join(pebble, 'pebble'), '-config', settings, '-dnsserver', `${address}:53`], /Listening on/, env),
    start('acme', [process.execPath, program, JSON.stringify(way satisfies GatewaySettings)], /^ready$/m),
  ])
  const own = await readFile(certificate, 'utf8')
  const text = `${own.trim()}\n${(await issuingRoot(bed, certificate)).trim()}\n`
  await writeFile(trustFile, text)
  return { process: authority, gateway, trust: text }
}

/** Lets a host trust the authority and the certificates that it issues. */
export async function trust(pid: number, authority: Authority): Promise<void> {
  await writeFile(seenFrom(pid, trusted), authority.trust)
}

/**
 * The root of the certificates that pebble issues: new at each of its starts, and available from its management
 * interface.
 */
async function issuingRoot(bed: number, certificate: string): Promise<string> {
  const program = `process.stdout.write(await (await fetch('https://${address}:${ports.management}/roots/0')).text())`
  const { stdout } = await run([...enterNetwork(bed), process.execPath, '--input-type=module', '--eval', program], {
    env: { NODE_EXTRA_CA_CERTS: certificate, PATH: process.env['PATH'] ?? '' },
    doing: "ask pebble for its issuing certificate's root",
  })
  return stdout
}
