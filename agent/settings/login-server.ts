import { flagValue } from '../../lib/go-flags.ts'

/** A warning if the control server is not a URL: tailscaled would try to reach it until the boot deadline. */
export function badLoginServer(extraArgs: readonly string[]): string | undefined {
  const server = flagValue(extraArgs, 'login-server')
  // An empty one means Tailscale's own; another warning already names placeholders.
  if (server === undefined || server === '' || server.includes('$')) return undefined
  const isUrl = /^https?:\/\//i.test(server) && URL.canParse(server)
  return isUrl ? undefined : 'TS_EXTRA_ARGS: --login-server is not a URL such as https://control.example.net'
}
