import { declareFindings } from '../../lib/declared-finding.ts'
import type { Finding } from '../../lib/finding.ts'
import { readSmallFile } from '../../lib/read-file.ts'
import { isProxied, shown } from './control.ts'
import { headOf } from './head.ts'
import type { Look } from './looking.ts'

export const acme = declareFindings('acme', {
  ok: {
    level: 'ok',
    text: '{what}',
    meaning: 'The directory of the certificate authority answers, or no certificates are requested here.',
  },
  unreachable: {
    level: 'error',
    text: 'the certificate authority does not answer at {url}: {problem}',
    remedy: 'Let the Pod out to it by HTTPS: DNS and network policies.',
    meaning: 'The directory of the authority was asked for, as tailscaled does before it requests a certificate.',
  },
  proxied: {
    level: 'unknown',
    text: 'not known: HTTPS_PROXY is set, through which tailscaled asks the certificate authority',
    meaning: 'The check itself asks without a proxy, and had no answer.',
  },
})

/** More than all authorities of the world. */
const maxBytes = 4 * 1024 * 1024

const letsEncrypt = 'https://acme-v02.api.letsencrypt.org/directory'

export const lookAtAcme: Look = async ({ settings, env, clock, signal }) => {
  const { certShare, requestsCertificate, serveConfigFile } = settings
  const requests = certShare !== 'ro' && (requestsCertificate || certShare === 'rw' || serveConfigFile !== undefined)
  if (!requests) return [acme.ok({ what: 'no certificates are requested here' })]
  const url = env['TS_DEBUG_ACME_DIRECTORY_URL'] || letsEncrypt
  const unreachable = (problem: unknown): Finding[] => [
    isProxied(env) ? acme.proxied() : acme.unreachable({ url: shown(url), problem }),
  ]
  try {
    // As tailscaled does.
    const file = env['SSL_CERT_FILE']
    const ca = file ? (await readSmallFile(file, maxBytes)).toString() : undefined
    const { status } = await headOf(url, { trust: true, ca, clock, signal })
    if (status === 200) return [acme.ok({ what: `${new URL(url).host} answers` })]
    return unreachable(`the status of its answer is ${status}`)
  } catch (problem) {
    return unreachable(problem)
  }
}
