import type { Settings, State, UpSettings } from '../settings/settings.ts'
import { flagName } from '../../lib/go-flags.ts'

/** tailscaled's arguments. `config`: its config file, in one-step mode. */
export function tailscaledArguments(settings: Settings, config?: string): string[] {
  const flags: string[] = [`--socket=${settings.socket}`, ...stateFlags(settings.state)]
  if (settings.userspace) flags.push('--tun=userspace-networking')
  if (settings.socks5Server !== '') flags.push(`--socks5-server=${settings.socks5Server}`)
  if (settings.httpProxyListen !== '') flags.push(`--outbound-http-proxy-listen=${settings.httpProxyListen}`)
  if (config !== undefined) flags.push(`--config=${config}`)
  // A value that the extra arguments already contain is not repeated.
  const { debugAddress, tailscaledExtraArgs } = settings
  if (debugAddress !== '' && !tailscaledExtraArgs.join(' ').includes(debugAddress))
    flags.push(`--debug=${debugAddress}`)
  return [...flags, ...tailscaledExtraArgs]
}

function stateFlags(state: State): string[] {
  if (state.kind === 'disk') return [`--statedir=${state.directory}`]
  if (state.kind === 'memory') return ['--state=mem:', '--statedir=/tmp']
  return [`--state=kube:${state.name}`, `--statedir=${state.directory}`]
}

/** The arguments of `tailscale up`. `reset`: settings of an earlier run that these do not name get their defaults. */
export function upArguments(socket: string, up: UpSettings, reset = false): string[] {
  const given = [
    ['authkey', up.authKey || undefined],
    ['client-id', up.clientId || undefined],
    ['client-secret', up.clientSecret || undefined],
    ['id-token', up.idToken || undefined],
    ['audience', up.audience || undefined],
  ] as const
  const mode = reset ? ['--reset'] : []
  return [`--socket=${socket}`, 'up', ...mode, acceptDns(up), ...flags(given), ...preferences(up), ...up.extraArgs]
}

/** The flags of `tailscale up` that `tailscale set` can apply without a login. */
const settable = new Set([
  'accept-risk',
  'accept-routes',
  'advertise-connector',
  'advertise-exit-node',
  'advertise-routes',
  'exit-node',
  'exit-node-allow-lan-access',
  'hostname',
  'netfilter-mode',
  'nickname',
  'operator',
  'report-posture',
  'shields-up',
  'snat-subnet-routes',
  'ssh',
  'stateful-filtering',
])

/** The extra arguments as flags, each with the words that follow as its value. */
function extraFlags({ extraArgs }: UpSettings): string[][] {
  const found: string[][] = []
  for (const word of extraArgs) {
    if (word.startsWith('-') || found.length === 0) found.push([word])
    else found.at(-1)?.push(word)
  }
  return found
}

const isSettable = ([word = '']: readonly string[]): boolean => settable.has(flagName(word))

/** Those of the extra arguments that only a login applies. */
export const lateFlags = (up: UpSettings): string[] =>
  extraFlags(up)
    .filter((words) => !isSettable(words))
    .map(([word = '']) => word)

/** The arguments of `tailscale set`, which applies the settings to a node that is already logged in. */
export const setArguments = (socket: string, up: UpSettings): string[] => [
  `--socket=${socket}`,
  'set',
  acceptDns(up),
  ...preferences(up),
  ...extraFlags(up).filter(isSettable).flat(),
]

const acceptDns = (up: UpSettings): string => `--accept-dns=${up.acceptDns}`

const preferences = (up: UpSettings): string[] =>
  flags([
    // Empty has a meaning: routes advertised before are withdrawn.
    ['advertise-routes', up.routes],
    ['hostname', up.hostname || undefined],
  ])

const flags = (given: readonly (readonly [string, string | undefined])[]): string[] =>
  given.flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]))
