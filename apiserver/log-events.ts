import { logEvents } from '../lib/log-event.ts'

export const events = logEvents('apiserver', {
  begins: { text: 'culvert API server proxy {version}', meaning: 'The API server proxy has started.' },
  setting: {
    text: 'warning: {problem}',
    meaning: 'A variable has no effect, and is probably misspelt.',
    remedy: 'As the message says.',
  },
  listens: {
    text: 'listens on {address}, and for probes on port {port}',
    meaning: 'tailscaled may pass connections on.',
  },
  refused: {
    text: 'error: {answer}: {problem}',
    meaning: 'A request was refused for a reason that lies with the proxy, tailscaled, a recorder or the API server.',
    remedy: 'As the message says; the [audit line](apiserver-proxy.md) of the request says whose it was.',
  },
  certificate: { text: 'shows the certificate of {domain}', meaning: 'It is there, or there again.' },
  noCertificate: {
    text: 'error: there is no certificate: {problem}',
    meaning: 'Clients cannot connect until there is one; it is tried again.',
    remedy: 'Enable HTTPS certificates in the tailnet; [Certificates](certificates.md) has a table of the reasons.',
  },
  config: { text: 'config: {mode}', meaning: 'The mounted document has another mode or name, and applies at once.' },
  configAs: { text: 'config: {mode}, as {service}', meaning: 'The same, with its Tailscale Service.' },
  configUnusable: {
    text: 'error: the last good config stays in force: {problem}',
    meaning: 'The mounted document cannot be used.',
    remedy: 'Correct it as the message says.',
  },
  configUsable: { text: '{path} can be used again', meaning: 'The failure before is over.' },
  configUnwatched: {
    text: 'warning: {problem}',
    meaning: 'Changes of the document are noticed late: it is only read again from time to time.',
    remedy: 'Mostly the node’s limit of inotify watches: raise `fs.inotify.max_user_instances`.',
  },
})
