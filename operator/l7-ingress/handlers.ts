import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { quote } from '../../lib/quote.ts'
import { some } from '../../lib/some.ts'
import type { Origin } from './backends.ts'
import { type Backend, specOfIngress, tlsHost } from './ingress.ts'

/** The URL that each path is passed on to. */
export type Handlers = ReadonlyMap<string, string>

/** Nothing listens there: what has no backend is answered with 502. */
const nowhere = 'http://127.0.0.1:1'

type Entry = Origin & { readonly path: string; readonly isExact: boolean }

/** Undefined: there is a path, but no backend. */
type Urls = ReadonlyMap<string, string | undefined>

/**
 * What tailscaled is to serve for each path of an Ingress, and what the user should know of paths that are left out.
 *
 * tailscaled takes the handler of exactly the requested path if there is one. Otherwise it takes that of the longest
 * path above, and there one with a slash at the end goes first. So it has only prefixes; but an exact path is possible
 * where another one serves what is below it, and then that gets a handler of its own, with a slash.
 *
 * `hosts`: those of rules that count, besides none.
 */
export function handlersOf(
  ingress: KubeObject,
  originOf: (backend: Backend) => Origin,
  hosts: readonly string[] = [tlsHost(ingress) ?? []].flat(),
): { readonly handlers: Handlers; readonly events: readonly Event[] } {
  const { entries, ignored, emptyPaths } = entriesOf(ingress, originOf, hosts)
  const byPath = (exact: boolean): Urls =>
    new Map(entries.flatMap(({ path, isExact, url }) => (isExact === exact ? [[path, url]] : [])))
  const prefixes = byPath(false)
  const exacts = byPath(true)
  const handlers = new Map<string, string>()
  for (const [path, url] of prefixes) {
    if (url !== undefined) handlers.set(path, url + encoded(path))
    // Another backend must not get what was meant for this one.
    else if (above(prefixes, path) !== undefined) handlers.set(path, nowhere)
  }
  const refused: string[] = []
  for (const [path, url] of exacts) {
    const below = above(prefixes, path)
    const rest = `${path}/`
    if (below === undefined || path.endsWith('/')) {
      refused.push(quote(path, 100))
      continue
    }
    if (!handlers.has(rest)) handlers.set(rest, below + encoded(rest))
    handlers.set(path, url === undefined ? nowhere : url + encoded(path))
  }
  const invalid = entries.flatMap(({ path, problem }) =>
    problem === undefined ? [] : [`path ${quote(path, 100)}: ${problem}`],
  )
  return { handlers, events: eventsOf([...ignored, ...invalid], refused, emptyPaths) }
}

/** All paths; those with the host go last, so that they replace equal ones without, as do all others the default backend. */
function entriesOf(ingress: KubeObject, originOf: (backend: Backend) => Origin, hosts: readonly string[]) {
  const { defaultBackend, rules = [] } = specOfIngress(ingress)
  const host = tlsHost(ingress)
  const {
    plain = [],
    named = [],
    foreign = [],
  } = Object.groupBy(rules, (rule) => (!rule.host ? 'plain' : hosts.includes(rule.host) ? 'named' : 'foreign'))
  const first = host === undefined ? 'spec.tls has no host' : `the first host of spec.tls is ${quote(host, 100)}`
  const paths = [...plain, ...named].flatMap((rule) => rule.http?.paths ?? [])
  const entries = [
    ...(defaultBackend === undefined ? [] : [{ path: '/', isExact: false, ...originOf(defaultBackend) }]),
    ...paths.map(({ path, pathType, backend }) => ({
      path: path || '/',
      isExact: pathType === 'Exact',
      ...originOf(backend),
    })),
  ]
  return {
    entries: entries as readonly Entry[],
    ignored: foreign.map((rule) => `host ${quote(rule.host ?? '', 100)}: ${first}`),
    emptyPaths: paths.filter(({ path }) => !path).length,
  }
}

/** What serves the requests for a path and all below it, besides its own exact handler: the longest prefix. */
function above(prefixes: Urls, path: string): string | undefined {
  const parts = path.split('/')
  for (let count = parts.length; count > 0; count -= 1) {
    const shorter = parts.slice(0, count).join('/')
    const url = prefixes.get(`${shorter}/`) ?? prefixes.get(shorter)
    if (url !== undefined) return url
  }
  return undefined
}

/** The path of a URL; an Ingress has it as it is compared with requests. */
const encoded = (path: string): string => encodeURI(path).replaceAll(/[?#]/g, encodeURIComponent)

function eventsOf(invalid: readonly string[], refused: readonly string[], emptyPaths: number): Event[] {
  const event = (type: Event['type'], reason: string, count: number, message: string): Event[] =>
    count === 0 ? [] : [{ type, reason, message }]
  return [
    ...event('Warning', 'InvalidIngressBackend', invalid.length, `not served: ${some(invalid)}`),
    ...event(
      'Warning',
      'UnsupportedPathTypeExact',
      refused.length,
      `not served, since nothing serves what is below: ${some(refused)}. An Exact path needs a Prefix path above it or a default backend, and no slash at its end: add one, or use Prefix`,
    ),
    ...event('Normal', 'PathUndefined', emptyPaths, 'a path is empty: it is taken for "/"'),
  ]
}
