import type { Given } from './given.ts'
import type { Settings } from './settings.ts'

type Serve = Pick<Settings, 'serveConfigFile' | 'advertisesServices' | 'certShare' | 'sharesAcmeAccount'>

/** What is served, and who sees to its certificates. */
export function readServe({ text, bool }: Given): { readonly serve: Serve; readonly warnings: readonly string[] } {
  const shares = bool('TS_EXPERIMENTAL_CERT_SHARE')
  const name = text('POD_NAME')
  return {
    serve: {
      serveConfigFile: text('TS_SERVE_CONFIG') || undefined,
      advertisesServices: bool('TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT'),
      certShare: !shares || name === '' ? undefined : name.endsWith('-0') ? 'rw' : 'ro',
      sharesAcmeAccount: text('TS_ACME_ACCOUNT_SECRET_NAME') !== '' || text('TS_ACME_ACCOUNT_FIELD') !== '',
    },
    warnings:
      shares && name === ''
        ? [
            'TS_EXPERIMENTAL_CERT_SHARE needs POD_NAME, which tells the replica that has certificates issued from those that read them: ' +
              'without it none would, so this one has its own issued. Set POD_NAME from metadata.name',
          ]
        : [],
  }
}
