import { isDeepStrictEqual } from 'node:util'
import type { Served } from '../localapi/serve-config.ts'
import { entriesOf, joinEntries, type PortHandler, type ServeConfig, type ServeService } from '../wire/serve-config.ts'

/**
 * The sequence of configs from the present to the desired one; none if they are equal. tailscaled refuses to change the
 * kind of a port, so that such ports are removed first. `recreate`: so are these Tailscale Services if it has kept them
 * over its start, since the control server may assign addresses only to new ones.
 */
export function serveSteps(
  current: Served['config'],
  desired: ServeConfig,
  recreate: ReadonlySet<string>,
): readonly ServeConfig[] {
  const isKept = ({ Services = {} }: ServeConfig): boolean =>
    Object.keys(Services).some((name) => recreate.has(name) && current.Services?.[name] !== undefined)
  const entries = [...entriesOf(desired).values()]
  const first = entries.filter((entry) => !isInTheWay(current, entry) && !isKept(entry))
  if (first.length < entries.length) return [joinEntries(first), desired]
  return isDeepStrictEqual(current, desired) ? [] : [desired]
}

/** Whether the present config forbids an entry. */
function isInTheWay({ TCP = {}, Services = {}, Foreground = {} }: Served['config'], entry: ServeConfig): boolean {
  const foreground = new Set(Object.values(Foreground).flatMap((session) => Object.keys(session?.TCP ?? {})))
  const changes = (ports: ServeConfig['TCP'], now: ServeConfig['TCP']): boolean =>
    Object.entries(ports ?? {}).some(([port, handler]) => {
      const before = now?.[port]
      return before !== undefined && kindOf(before) !== kindOf(handler)
    })
  return (
    Object.keys(entry.TCP ?? {}).some((port) => foreground.has(port)) ||
    changes(entry.TCP, TCP) ||
    Object.entries(entry.Services ?? {}).some(([name, service]) => {
      const before = Services[name]
      return before !== undefined && (changes(service.TCP, before.TCP) || excludes(service, before))
    })
  )
}

const kindOf = ({ HTTPS, HTTP, TerminateTLS }: PortHandler): string =>
  HTTPS === true ? 'https' : HTTP === true ? 'http' : TerminateTLS === undefined ? 'tcp' : 'tls'

/** A Service passes raw packets, or has ports. */
const excludes = (one: ServeService, other: ServeService): boolean =>
  (one.Tun === true && other.TCP !== undefined) || (one.TCP !== undefined && other.Tun === true)
