import type { Settings, UpSettings } from '../settings/settings.ts'

/** tailscaled's arguments, in the order of agent.md §2. */
export function tailscaledArguments(settings: Settings): string[] {
  const flags: string[] = [`--socket=${settings.socket}`]
  if (settings.state.kind === 'disk') flags.push(`--statedir=${settings.state.directory}`)
  else flags.push('--state=mem:', '--statedir=/tmp')
  if (settings.userspace) flags.push('--tun=userspace-networking')
  if (settings.socks5Server !== '') flags.push(`--socks5-server=${settings.socks5Server}`)
  if (settings.httpProxyListen !== '') flags.push(`--outbound-http-proxy-listen=${settings.httpProxyListen}`)
  // A value that the extra arguments hold already is not given twice.
  const { debugAddress, tailscaledExtraArgs } = settings
  if (debugAddress !== '' && !tailscaledExtraArgs.join(' ').includes(debugAddress))
    flags.push(`--debug=${debugAddress}`)
  return [...flags, ...tailscaledExtraArgs]
}

/** The arguments of `tailscale up`, in the order of agent.md §2. */
export function upArguments(socket: string, up: UpSettings): string[] {
  const given = [
    ['authkey', up.authKey],
    ['client-id', up.clientId],
    ['client-secret', up.clientSecret],
    ['id-token', up.idToken],
    ['audience', up.audience],
    ['hostname', up.hostname],
  ] as const
  return [
    `--socket=${socket}`,
    'up',
    `--accept-dns=${up.acceptDns}`,
    ...given.filter(([, value]) => value !== '').map(([name, value]) => `--${name}=${value}`),
    ...up.extraArgs,
  ]
}
