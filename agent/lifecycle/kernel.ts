import { networkInterfaces } from 'node:os'
import { families, type Family } from '../../lib/address.ts'
import { runAhead, runCommand } from '../../lib/command.ts'
import type { Log } from '../../lib/log.ts'
import { type Backend, type BackendOptions, chooseBackend } from '../../netfilter/backend.ts'
import { enableForwarding, kernelFamilies } from '../../netfilter/sysctl.ts'
import { forwards } from '../forwarding/forwards.ts'
import type { Settings } from '../settings/settings.ts'
import { hasSeveralTargets } from '../targets/destination.ts'
import { addressWarnings, requireNetAdmin, requireTun } from './preflight.ts'
import { events } from './log-events.ts'

/** Checks what the kernel must provide before anything is started; gives the address families that it supports. */
export async function prepareKernel(settings: Settings, log: Log): Promise<readonly Family[]> {
  const kernel: Family[] = settings.fakeNetfilter
    ? families.filter((family) => family === 4 || settings.fakeNetfilter?.ipv6)
    : await kernelFamilies(settings.root)
  if (settings.userspace) return kernel
  warn(addressWarnings(settings), log)
  if (!settings.fakeNetfilter) requireNetAdmin()
  await requireTun(settings.root, runCommand)
  await enableForwarding(
    settings.root,
    kernel.filter((family) => settings.forwardedFamilies.includes(family)),
  )
  // A failure here is only logged: upstream's agent ignores routes in TS_EXTRA_ARGS, so the rest must work as with it.
  const advertised = kernel.filter((family) => settings.advertisedFamilies.includes(family))
  warn((await tryForwarding(settings.root, advertised)).problems, log)
  return settings.forwardsAny ? forwardAny(settings.root, kernel, log) : kernel
}

/** Chooses the firewall; undefined if the agent does not forward. */
export async function chooseFirewall(
  settings: Settings,
  supported: readonly Family[],
  log: Log,
): Promise<Backend | undefined> {
  if (!forwards({ settings })) return undefined
  const mode = settings.fakeNetfilter ? 'memory' : settings.firewallMode
  return chooseBackend(mode, firewallOptions(settings, supported, log))
}

export const firewallOptions = (settings: Settings, supported: readonly Family[], log: Log): BackendOptions => ({
  run: runCommand,
  runAhead,
  families: supported,
  several: hasSeveralTargets(settings),
  localAddresses,
  device: settings.tunnelDevice,
  log,
})

const localAddresses = (): string[] =>
  Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).map(({ address }) => address))

/**
 * Enables forwarding for each family if possible. If a target's family is not known in advance, one family is enough.
 * @throws CulvertError `privilege` when no family can be forwarded.
 */
async function forwardAny(root: string, kernel: readonly Family[], log: Log): Promise<Family[]> {
  const { carried, problems } = await tryForwarding(root, kernel)
  if (carried.length === 0 && problems.length > 0) throw problems[0]
  warn(problems, log)
  return carried
}

async function tryForwarding(root: string, wanted: readonly Family[]) {
  const carried: Family[] = []
  const problems: unknown[] = []
  for (const family of wanted) {
    try {
      await enableForwarding(root, [family])
      carried.push(family)
    } catch (problem) {
      problems.push(problem)
    }
  }
  return { carried, problems }
}

function warn(problems: readonly unknown[], log: Log): void {
  for (const problem of problems) log(events.kernel({ problem }))
}
