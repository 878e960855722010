/** A warning if the control server is not a URL: tailscaled would try to reach it until the boot deadline. */
export function badLoginServer(extraArgs: readonly string[]): string | undefined {
  const [, server] =
    extraArgs.map((word) => /^--?login-server=(.*)$/s.exec(word)).findLast((match) => match !== null) ?? []
  // An empty one is Tailscale's own, and what nobody has replaced is told already.
  if (server === undefined || server === '' || server.includes('$')) return undefined
  const isUrl = /^https?:\/\//i.test(server) && URL.canParse(server)
  return isUrl ? undefined : 'TS_EXTRA_ARGS: --login-server is not a URL such as https://control.example.net'
}
