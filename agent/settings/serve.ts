import type { EnvReader } from './env-reader.ts'
import type { Settings } from './settings.ts'
import { readState } from './state.ts'

type Serve = Pick<
  Settings,
  'serveConfigFile' | 'advertisesServices' | 'certShare' | 'requestsCertificate' | 'sharesAcmeAccount'
>

/** What is served, and who manages its certificates. */
export function readServe(env: EnvReader): { readonly serve: Serve; readonly warnings: readonly string[] } {
  const { text, bool } = env
  const shares = bool('TS_EXPERIMENTAL_CERT_SHARE')
  const missing = shares ? missingToShare(env) : undefined
  const requests = bool('CULVERT_REQUEST_CERTIFICATE')
  const isKept = readState(env).kind === 'secret'
  return {
    serve: {
      serveConfigFile: text('TS_SERVE_CONFIG') || undefined,
      advertisesServices: bool('TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT'),
      certShare: !shares || missing !== undefined ? undefined : text('POD_NAME').endsWith('-0') ? 'rw' : 'ro',
      requestsCertificate: requests && isKept && !shares,
      sharesAcmeAccount: text('TS_ACME_ACCOUNT_SECRET_NAME') !== '' || text('TS_ACME_ACCOUNT_FIELD') !== '',
    },
    warnings: [...(missing === undefined ? [] : [missing]), ...(requests && !isKept ? [unkept] : [])],
  }
}

/** Otherwise each restart would request another one. */
const unkept =
  'CULVERT_REQUEST_CERTIFICATE has no effect: it needs tailscaled’s state in a Secret, where the certificate is kept. Set TS_KUBE_SECRET'

/** Why certificates cannot be shared: readers would never get any. */
function missingToShare(env: EnvReader): string | undefined {
  if (env.text('POD_NAME') === '') {
    return (
      'TS_EXPERIMENTAL_CERT_SHARE needs POD_NAME, which tells the replica that has certificates issued from those that read them: ' +
      'without it none would, so this one has its own issued. Set POD_NAME from metadata.name'
    )
  }
  if (readState(env).kind === 'secret') return undefined
  return (
    'TS_EXPERIMENTAL_CERT_SHARE needs tailscaled’s state in a Secret, as it shares certificates through the same API: ' +
    'without that this replica has its own issued. Set TS_KUBE_SECRET'
  )
}
