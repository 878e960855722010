import { byteCount } from '../../lib/byte-count.ts'
import { readable } from '../../lib/quote.ts'
import { some } from '../../lib/some.ts'
import { type FiguresAnswer, figureLines } from './figures.ts'

/** Renders the answer of `/status` for people: one fact per line, problems marked. */
export function renderStatus(status: StatusAnswer): string {
  const lines = [
    `culvert ${status.version}: ${status.ready ? 'ready' : 'not ready'}`,
    ...Object.entries(status.checks).flatMap(([name, { state, since, reason, gates }]) =>
      state === 'ok'
        ? []
        : [`  ! ${name} ${state} since ${since ?? 'now'}: ${reason ?? ''}${gates ? '' : ' (traffic goes on)'}`],
    ),
    `tailscaled: ${status.tailscaled.phase}, ${status.tailscaled.state ?? 'state unknown'}, ${status.tailscaled.restarts} restarts`,
    ...status.tailscaled.health.map((text) => `  ! it warns: ${text}`),
    `node: ${status.node.name ?? 'unknown'} ${status.node.addresses.join(' ')}`.trimEnd(),
    ...(status.node.keyExpiry === null ? [] : [`its key expires at ${status.node.keyExpiry}`]),
    ...status.targets.map(({ address, forwarded, problem, from }) =>
      forwarded ? `target ${address}: from ${from.join(' ')}` : `target ${address}: ! ${problem ?? 'not forwarded'}`,
    ),
    ...portLines(status),
    ...relayLines(status),
    ...dnsLines(status),
    ...egressLines(status),
    ...serviceLines(status),
    ...figureLines(status),
    ...certificateLines(status),
    ...serveLines(status),
    ...status.rejected.map(
      ({ file, entry, field, reason }) =>
        `  ! ${[file, entry, field].filter((part) => part !== '').join(', ')}: ${reason}; as it was before, if it was`,
    ),
    ...Object.entries(status.reconcilers).map(
      ([name, { verifiedAt, error, repairs }]) =>
        `${name}: ${error === null ? `verified ${verifiedAt ?? 'never'}` : `! ${error}`}, ${repairs} repairs`,
    ),
  ]
  return `${lines.map(readable).join('\n')}\n`
}

function portLines({ ports }: StatusAnswer): string[] {
  if (ports === null) return []
  return [
    `ports: ${some(ports.forwarded, { most: 10, separator: ', ' }) || '! none is forwarded'}`,
    ...ports.problems.map((problem) => `  ! ${problem}`),
  ]
}

function relayLines({ relay }: StatusAnswer): string[] {
  if (relay === null) return []
  const dropped = Object.values(relay.droppedDatagrams).reduce((sum, count) => sum + count, 0)
  return [
    `forwarded by the agent: ${relay.connections} connections, ${relay.sessions} UDP clients; ` +
      `refused: ${relay.refusedConnections} connections, ${dropped} datagrams`,
    ...Object.entries(relay.bytes).map(
      ([protocol, { toBytes, fromBytes }]) =>
        `  ${protocol}: ${byteCount(toBytes)} there, ${byteCount(fromBytes)} back`,
    ),
    ...(relay.evictedSessions === 0
      ? []
      : [`  ! ${relay.evictedSessions} UDP clients were given up, since there were too many`]),
  ]
}

function dnsLines({ dns }: StatusAnswer): string[] {
  if (dns === null) return []
  const { name, addresses, resolvedAt, nextAt, problems } = dns
  const resolved =
    resolvedAt === null ? '! not resolved yet' : `${addresses.length} addresses, resolved at ${resolvedAt}`
  const again = nextAt === null ? '' : `, again at ${nextAt}`
  return [`name ${name}: ${resolved}${again}`, ...problems.map((problem) => `  ! ${problem}`)]
}

function egressLines({ egress }: StatusAnswer): string[] {
  if (egress === null) return []
  const { target, addresses, exempt, problems } = egress
  const to = addresses.length === 0 ? '! nowhere' : `to ${addresses.join(' ')}, all ports but ${exempt.join(', ')}`
  return [`egress, ${target}: ${to}`, ...problems.map((problem) => `  ! ${problem}`)]
}

/** Lists the ones with problems, and counts the others. */
function serviceLines({ services }: StatusAnswer): string[] {
  if (services.length === 0) return []
  const forwarded = services.filter(({ addresses = [], mappings = [] }) => addresses.length + mappings.length > 0)
  const elsewhere = services.filter(({ hosted }) => hosted === false).map(({ name }) => name)
  return [
    `services: ${forwarded.length} of ${services.length} forwarded`,
    ...(elsewhere.length > 0 ? [`  not hosted here, or not yet: ${elsewhere.join(', ')}`] : []),
    ...services.flatMap(({ name, problems }) => problems.map((problem) => `  ! ${name}: ${problem}`)),
  ]
}

function certificateLines({ certificates }: StatusAnswer): string[] {
  return certificates.flatMap(({ domain, expires, nextRequest, problem }) => [
    `certificate ${domain}: ${expires === null ? '! none' : `valid until ${expires}`}${nextRequest === null ? '' : `, asked for again at ${nextRequest}`}`,
    ...(problem === null ? [] : [`  ! ${problem}`]),
  ])
}

function serveLines({ serve }: StatusAnswer): string[] {
  if (serve === null) return []
  const { domain, ports, services, problems } = serve
  return [
    `serving as ${domain ?? 'no name with HTTPS'}: ${ports.length === 0 ? 'no ports' : `ports ${ports.join(', ')}`}`,
    ...services.map(
      ({ name, advertised, hosted }) =>
        `  ${name}: ${advertised ? 'advertised' : 'not advertised from here'}, ${hosted === true ? 'hosted' : 'not hosted here, or not yet'}`,
    ),
    ...problems.map(({ entry, problem }) => `  ! ${entry}: ${problem}`),
  ]
}

/** The fields of the answer that are rendered. */
export type StatusAnswer = FiguresAnswer & {
  readonly version: string
  readonly ready: boolean
  readonly checks: Readonly<
    Record<
      string,
      {
        readonly state: string
        readonly since: string | null
        readonly reason: string | null
        readonly gates: boolean
      }
    >
  >
  readonly tailscaled: {
    readonly phase: string
    readonly state: string | null
    readonly restarts: number
    readonly health: readonly string[]
  }
  readonly node: {
    readonly name: string | null
    readonly addresses: readonly string[]
    readonly keyExpiry: string | null
  }
  readonly targets: readonly {
    readonly address: string
    readonly forwarded: boolean
    readonly problem: string | null
    readonly from: readonly string[]
  }[]
  readonly ports: { readonly forwarded: readonly string[]; readonly problems: readonly string[] } | null
  readonly relay: {
    readonly connections: number
    readonly refusedConnections: number
    readonly sessions: number
    readonly evictedSessions: number
    readonly droppedDatagrams: Readonly<Record<string, number>>
    readonly bytes: Readonly<Record<string, { readonly toBytes: number; readonly fromBytes: number }>>
  } | null
  readonly dns: {
    readonly name: string
    readonly addresses: readonly string[]
    readonly resolvedAt: string | null
    readonly nextAt: string | null
    readonly problems: readonly string[]
  } | null
  readonly egress: {
    readonly target: string
    readonly addresses: readonly string[]
    readonly exempt: readonly string[]
    readonly problems: readonly string[]
  } | null
  readonly services: readonly {
    readonly name: string
    readonly addresses?: readonly string[]
    readonly mappings?: readonly string[]
    readonly hosted?: boolean | null
    readonly problems: readonly string[]
  }[]
  readonly certificates: readonly {
    readonly domain: string
    readonly expires: string | null
    readonly nextRequest: string | null
    readonly problem: string | null
  }[]
  readonly serve: {
    readonly domain: string | null
    readonly ports: readonly number[]
    readonly services: readonly {
      readonly name: string
      readonly advertised: boolean
      readonly hosted: boolean | null
    }[]
    readonly problems: readonly { readonly entry: string; readonly problem: string }[]
  } | null
  readonly rejected: readonly {
    readonly file: string
    readonly entry: string
    readonly field: string
    readonly reason: string
  }[]
  readonly reconcilers: Readonly<
    Record<string, { readonly verifiedAt: string | null; readonly error: string | null; readonly repairs: number }>
  >
}
