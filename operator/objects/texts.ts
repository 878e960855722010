/** One part of a DNS name: letters and digits at the ends, hyphens between; 63 at most. */
const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i

/** The rules of texts that users write. Each gives the text as it is to be used, or undefined if it is none such. */

export const readHostname = (text: string): string | undefined => (label.test(text) ? text : undefined)

/** A name of the tailnet with its domain, whichever that is; without the dot at the end. */
export function readFqdn(text: string): string | undefined {
  const name = text.replace(/\.$/, '')
  const labels = name.split('.')
  return labels.length >= 2 && name.length <= 253 && labels.every((one) => label.test(one)) ? name : undefined
}

export const tagPattern = /^tag:[a-zA-Z][a-zA-Z0-9-]*$/

/** Tags separated by commas; blanks around them do not count. */
export function readTags(text: string): readonly string[] | undefined {
  const tags = text.split(',').map((tag) => tag.trim())
  return tags.every((tag) => tagPattern.test(tag)) ? [...new Set(tags)] : undefined
}

/** A NetworkPolicy for a group has those of all its Services, and the API takes no objects of any size. */
export const mostNames = 200

/** Names separated by commas, blanks or newlines, or as a list of JSON or YAML; `*` for any. */
export function readNames(text: string): '*' | readonly string[] | undefined {
  const names = text
    .replace(/^\s*\[([^]*)\]\s*$/, '$1')
    .split(/[\s,]+/)
    .map((name) => name.replace(/^(["'])(.*)\1$/, '$2'))
    .filter((name) => name !== '' && name !== '-')
  if (names.length === 1 && names[0] === '*') return '*'
  const all = [...new Set(names)]
  return all.length <= mostNames && all.every((name) => label.test(name)) ? all : undefined
}

export const backendProtocols = ['HTTP', 'HTTPS', 'HTTPS+INSECURE'] as const
export type BackendProtocol = (typeof backendProtocols)[number]

/** How an Ingress reaches its backends: all of them, or by the name or number of the Service's port. */
export type BackendProtocols = {
  readonly all: BackendProtocol | undefined
  readonly byPort: ReadonlyMap<string, BackendProtocol>
}

/** `HTTPS`, `8443=HTTPS,web=HTTP`, or both: what has no port is for all others. */
export function readBackendProtocols(text: string): BackendProtocols | undefined {
  let all: BackendProtocol | undefined
  const byPort = new Map<string, BackendProtocol>()
  for (const part of text.split(',').map((one) => one.trim())) {
    const [, port, word = ''] = /^(?:([a-z0-9-]+)=)?(\S+)$/i.exec(part) ?? []
    const protocol = backendProtocols.find((one) => one === word.toUpperCase())
    if (protocol === undefined || (port === undefined ? all !== undefined : byPort.has(port))) return undefined
    if (port === undefined) all = protocol
    else byPort.set(port, protocol)
  }
  return { all, byPort }
}
