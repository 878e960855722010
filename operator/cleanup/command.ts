import { CulvertError } from '../../lib/errors.ts'
import { type Flags, parseFlags } from '../../lib/flags.ts'
import { parseDuration } from '../../lib/go-values.ts'

export type CleanupOptions = {
  /** The operator's own Deployment, which is scaled down first; undefined: it does not run any more. */
  readonly deployment: string | undefined
  readonly timeoutMs: number
}

const flags: Flags = new Map([
  ['deployment', 'value'],
  ['timeout', 'value'],
])

const defaultTimeout = '4m'

export const cleanupHelp = `Usage: culvert-operator cleanup [--deployment=NAME] [--timeout=${defaultTimeout}]

Removes all that the operator has made, in the cluster and in the tailnet: Pods, then their devices, then Secrets and
the rest. Services of L3 egress become what they were before. Services, Ingresses and objects of tailscale.com stay,
without finalizers. It has the settings of the operator, takes its Lease, and needs its rights.

  --deployment=NAME  the operator's Deployment, which is scaled to 0 first; without it, the operator must be stopped
  --timeout=4m       how long it may take; after a quarter of it, devices that Tailscale's API does not remove are
                     named and left

It logs what is left, as that changes. Exit codes: 0 nothing is left in the cluster, 1 something is or it failed, 2 wrong
usage. It may be repeated.
`

/** @throws CulvertError `usage` */
export function readCleanup(args: readonly string[]): CleanupOptions {
  const given = new Map(parseFlags(args, flags).map(({ name, value }) => [name, value]))
  const timeoutMs = parseDuration(given.get('timeout') ?? defaultTimeout)
  if (timeoutMs === undefined || timeoutMs < 1000 || timeoutMs > 86_400_000)
    throw new CulvertError('usage', '--timeout takes a duration such as 4m, from 1s to 24h')
  return { deployment: given.get('deployment') || undefined, timeoutMs: Math.round(timeoutMs) }
}
