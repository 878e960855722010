/** Renders the answer of `/status` for people: one fact a line, problems marked. */
export function renderStatus(status: StatusAnswer): string {
  const lines = [
    `culvert ${status.version}: ${status.ready ? 'ready' : 'not ready'}`,
    ...Object.entries(status.checks).flatMap(([name, { state, since, reason, gates }]) =>
      state === 'ok'
        ? []
        : [`  ! ${name} ${state} since ${since ?? 'now'}: ${reason ?? ''}${gates ? '' : ' (traffic goes on)'}`],
    ),
    `tailscaled: ${status.tailscaled.phase}, ${status.tailscaled.state ?? 'state unknown'}, ${status.tailscaled.restarts} restarts`,
    `node: ${status.node.name ?? 'unknown'} ${status.node.addresses.join(' ')}`.trimEnd(),
    ...status.targets.map(({ address, forwarded, problem, from }) =>
      forwarded ? `target ${address}: from ${from.join(' ')}` : `target ${address}: ! ${problem ?? 'not forwarded'}`,
    ),
    ...Object.entries(status.facets).map(
      ([name, { verifiedAt, error, repairs }]) =>
        `${name}: ${error === null ? `verified ${verifiedAt ?? 'never'}` : `! ${error}`}, ${repairs} repairs`,
    ),
  ]
  return `${lines.join('\n')}\n`
}

/** The part of the answer that people are shown. */
export type StatusAnswer = {
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
  readonly tailscaled: { readonly phase: string; readonly state: string | null; readonly restarts: number }
  readonly node: { readonly name: string | null; readonly addresses: readonly string[] }
  readonly targets: readonly {
    readonly address: string
    readonly forwarded: boolean
    readonly problem: string | null
    readonly from: readonly string[]
  }[]
  readonly facets: Readonly<
    Record<string, { readonly verifiedAt: string | null; readonly error: string | null; readonly repairs: number }>
  >
}
