import { lstatSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { families, type Family } from '../../lib/address.ts'
import { runCommand } from '../../lib/command.ts'
import { CulvertError, describe } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { enableForwarding, kernelFamilies } from '../../netfilter/forwarding.ts'
import { nothingReachable } from '../../netfilter/plan.ts'
import { type Nftables, probeNftables } from '../../netfilter/nftables/nftables.ts'
import { attemptedPlan, forwards } from '../forwarding/reconciler.ts'
import { planServe, serveName } from '../serve/reconciler.ts'
import { planStateSecret, stateSecretName, writesSecret } from '../state-secret/reconciler.ts'
import { overlapWarnings, requireNetAdmin, requireTun } from './preflight.ts'
import type { Settings } from '../settings/settings.ts'
import type { Store, World } from '../world/world.ts'

/** What the kernel must grant before anything is started; gives the address families that it carries. */
export async function prepareKernel(settings: Settings, nft: Nftables, log: Log) {
  const kernel: Family[] = settings.fakeNetfilter
    ? families.filter((family) => family === 4 || settings.fakeNetfilter?.ipv6)
    : await kernelFamilies(settings.root)
  if (settings.userspace) return kernel
  for (const warning of overlapWarnings(settings)) log(`warning: ${warning}`)
  if (!settings.fakeNetfilter) requireNetAdmin()
  await requireTun(settings.root, runCommand)
  await enableForwarding(
    settings.root,
    kernel.filter((family) => settings.forwardedFamilies.includes(family)),
  )
  const carried = settings.forwardsAny ? await forwardAny(settings.root, kernel, log) : kernel
  if (settings.fakeNetfilter || !forwards({ settings })) return carried
  if (settings.firewallMode === 'iptables') {
    throw new CulvertError(
      'settings',
      'TS_DEBUG_FIREWALL_MODE=iptables: this version of Culvert forwards with nftables only',
      {
        remedy: 'Set it to nftables or auto, which is the default.',
      },
    )
  }
  try {
    await probeNftables(nft)
  } catch (error) {
    throw new CulvertError('privilege', 'nftables cannot be used in this network namespace', {
      cause: error,
      remedy: 'The node’s kernel needs nf_tables with NAT; the image needs nft.',
    })
  }
  log('firewall: nftables, since its rules could be made and deleted here')
  return carried
}

/**
 * Has the kernel forward what it can: where a target's family is not known beforehand, one is enough.
 * @throws CulvertError `privilege` when it can forward none.
 */
async function forwardAny(root: string, kernel: readonly Family[], log: Log): Promise<Family[]> {
  const tried = await Promise.all(
    kernel.map(async (family) => {
      try {
        await enableForwarding(root, [family])
        return { family, problem: undefined }
      } catch (problem) {
        return { family, problem }
      }
    }),
  )
  const carried = tried.flatMap(({ family, problem }) => (problem === undefined ? [family] : []))
  const problems = tried.flatMap(({ problem }) => problem ?? [])
  if (carried.length === 0 && problems.length > 0) throw problems[0]
  for (const problem of problems) log(`warning: ${describe(problem)}`)
  return carried
}

/** Lets programs that know nothing of TS_SOCKET find tailscaled; failing is only said. Gives what takes the link away again. */
export function linkDefaultSocket({ root, socket }: Settings, log: Log): () => void {
  const link = `${root}/var/run/tailscale/tailscaled.sock`
  const nothing = (): void => {}
  if (socket === link) return nothing
  try {
    mkdirSync(dirname(link), { recursive: true, mode: 0o700 })
    // A link was left by an earlier container; anything else belongs to somebody.
    if (lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() === true) rmSync(link)
    symlinkSync(socket, link)
    return () => rmSync(link, { force: true })
  } catch (error) {
    log(`warning: ${link} cannot be linked to ${socket}: ${describe(error)}`)
    return nothing
  }
}

/**
 * Resolves when start-up is complete: the node is running, and every facet has had its first attempt at what it wants.
 * @throws CulvertError `family` when that pass found that no target can ever be reached.
 */
export async function started(store: Store, log: Log, signal: AbortSignal): Promise<void> {
  await store.until(({ daemon, tailnet }) => daemon.phase === 'running' && tailnet.self !== undefined, signal)
  const world = await store.until((now) => forwardingTried(now) && serveTried(now) && stateSecretTried(now), signal)
  const plan = attemptedPlan(world)
  if (plan === undefined || !nothingReachable(plan)) return
  const { settings } = world
  const reasons = plan.unreachable.map(({ target, reason }) => `${target.text}: ${reason}`)
  if (settings.tailnetTarget !== undefined) {
    const addresses = plan.unreachable.map(({ target }) => `${target.text}/${target.family === 4 ? 32 : 128}`)
    // Worded as it is waited for (agent.md §12).
    log(
      `no forwarding rules for egress addresses [${addresses.join(' ')}], host supports IPv6: ${world.kernelFamilies.includes(6)}`,
    )
  }
  const which = settings.tailnetTarget === undefined ? 'TS_DEST_IP' : 'the target in the tailnet'
  throw new CulvertError('family', `no forwarding rules for ${which}: ${reasons.join('; ')}`, {
    remedy: 'Give a target of a family that the node has.',
  })
}

const forwardingTried = (world: World): boolean => !forwards(world) || attemptedPlan(world) !== undefined

const serveTried = (world: World): boolean => planServe(world) === undefined || world.facets[serveName] !== undefined

const stateSecretTried = (world: World): boolean =>
  !writesSecret(world) || isDeepStrictEqual(world.facets[stateSecretName]?.desired, planStateSecret(world))
