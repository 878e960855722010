import { certDomain } from './serve-config.ts'

/** Whether a text is valid for its field in a serve config; the name behind `${TS_CERT_DOMAIN}` is. */
type Is = (text: string) => boolean

const named =
  (is: Is): Is =>
  (text) =>
    is(text.replaceAll(certDomain, 'node.example.ts.net'))

export const isPort: Is = (text) => /^[1-9]\d{0,4}$/.test(text) && Number(text) <= 65_535

export const isName: Is = named(
  (text) =>
    text.length <= 253 &&
    /^(?:[a-z\d_](?:[a-z\d_-]{0,61}[a-z\d_])?\.)*[a-z\d_](?:[a-z\d_-]{0,61}[a-z\d_])?$/i.test(text),
)

export const isServiceName: Is = (text) => /^svc:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/i.test(text)

/** `host:port` or `unix:PATH`. */
export const isForward: Is = named((text) => {
  if (text.startsWith('unix:')) return text.length > 'unix:'.length && visible(text)
  const [, host = '', port = ''] = /^(\[[\da-f:.]+\]|[^:[\]]*):(\d+)$/i.exec(text) ?? []
  // An empty host is the Pod itself, and a name may end with a dot.
  return isPort(port) && (host === '' || host.startsWith('[') || isName(host.replace(/\.$/, '')))
})

/** `8080`, `host:8080`, a URL, or `unix:PATH`. */
export const isProxy: Is = named((text) => {
  if (/^\d+$/.test(text)) return isPort(text)
  if (text.startsWith('unix:')) return isForward(text)
  const rest = text.replace(/^(?:https?|https\+insecure):\/\//, '')
  // An empty host is the Pod itself.
  const url = `http://${rest.replace(/^:(?=\d)/, 'localhost:')}`
  return visible(text) && !/^(?:[a-z\d+.-]+:\/\/|[/?#])/i.test(rest) && URL.canParse(url)
})

/** A URL or a path, optionally with a status and a colon before it. */
export const isRedirect: Is = named((text) => {
  const to = text
    .replace(/^3\d\d:/, '')
    .replaceAll('${HOST}', 'a')
    .replaceAll('${REQUEST_URI}', '/')
  return visible(to) && /^(?:\/|[a-z][a-z\d+.-]*:\/\/[^/])/i.test(to)
})

const visible: Is = (text) => /^[!-~]+$/.test(text)
