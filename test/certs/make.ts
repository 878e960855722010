import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Certificate } from '../../certs/certificate.ts'
import { run } from '../lab/run.ts'

/** A key and a self-signed certificate, both PEM, as tailscaled stores them. */
export type Pair = { readonly certificate: string; readonly key: string }

/** A certificate for `names` and addresses, valid for two days from now. */
export async function makePair(names: readonly string[], addresses: readonly string[] = []): Promise<Pair> {
  const folder = mkdtempSync(join(tmpdir(), 'culvert-'))
  try {
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key]
    const subject = ['-subj', '/CN=x']
    const all = [...names.map((name) => `DNS:${name}`), ...addresses.map((address) => `IP:${address}`)]
    const alternatives = all.length === 0 ? [] : ['-addext', `subjectAltName=${all.join(',')}`]
    await run(['openssl', 'req', '-x509', '-days', '2', ...newKey, ...subject, ...alternatives, '-out', certificate])
    return { certificate: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

export const day = 86_400_000

/** A certificate valid for ninety days from day `from`, in days since 1970. */
export const ninetyDays = (from: number, fingerprint = '00:00:00:00'): Certificate => ({
  fingerprint,
  from: new Date(from * day),
  to: new Date((from + 90) * day),
})
