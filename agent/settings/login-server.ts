/** A control server that tailscaled would look for until the boot deadline, since it is no URL; undefined if it is one. */
export function badLoginServer(extraArgs: readonly string[]): string | undefined {
  const [, server] =
    extraArgs.map((word) => /^--?login-server=(.*)$/s.exec(word)).findLast((match) => match !== null) ?? []
  // That is told already.
  if (server === undefined || server.includes('$')) return undefined
  const isUrl = /^https?:\/\//i.test(server) && URL.canParse(server)
  return isUrl ? undefined : 'TS_EXTRA_ARGS: --login-server is not a URL such as https://control.example.net'
}
