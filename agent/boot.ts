import { lstatSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { families, type Family } from '../lib/address.ts'
import { runCommand } from '../lib/command.ts'
import { CulvertError, describe } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { enableForwarding, kernelFamilies } from '../netfilter/forwarding.ts'
import { nothingReachable } from '../netfilter/plan.ts'
import { translations } from '../netfilter/table.ts'
import { type Nftables, probeNftables } from '../netfilter/nftables/nftables.ts'
import { attemptedPlan, forwardingName, forwards } from './facets/forwarding.ts'
import { planStateSecret, stateSecretName, writesSecret } from './facets/state-secret.ts'
import { overlapWarnings, requireNetAdmin, requireTun } from './preflight.ts'
import type { Settings } from './settings/settings.ts'
import type { Store, World } from './world.ts'

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
  if (settings.fakeNetfilter || !forwards({ settings })) return kernel
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
  return kernel
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
export async function started(store: Store, signal: AbortSignal): Promise<void> {
  await store.until(({ daemon, tailnet }) => daemon.phase === 'running' && tailnet.self !== undefined, signal)
  const world = await store.until((now) => forwardingTried(now) && stateSecretTried(now), signal)
  const plan = attemptedPlan(world)
  if (plan === undefined || !nothingReachable(plan)) return
  const reasons = plan.unreachable.map(({ target, reason }) => `${target.text}: ${reason}`)
  throw new CulvertError('family', `no forwarding rules for TS_DEST_IP: ${reasons.join('; ')}`, {
    remedy: 'Give a target of a family that the node has.',
  })
}

const forwardingTried = (world: World): boolean => !forwards(world) || attemptedPlan(world) !== undefined

const stateSecretTried = (world: World): boolean =>
  !writesSecret(world) || isDeepStrictEqual(world.facets[stateSecretName]?.desired, planStateSecret(world))

/** Says each change of which targets are forwarded, until `signal` aborts. */
export function reportTargets(store: Store, log: Log, signal: AbortSignal): void {
  let said = ''
  store.watch(() => {
    const plan = attemptedPlan(store.world)
    if (plan === undefined || store.world.facets[forwardingName]?.error !== undefined) return
    const lines = [
      ...[...translations(plan.table)].map(({ own, backend }) => `forwarding ${own} to ${backend}`),
      ...(plan.table.masquerade
        ? []
        : [
            'masquerade is off, as tailscaled’s NoSNAT preference says: backends see tailnet addresses and need a route back',
          ]),
      ...plan.unreachable.map(({ target, reason }) => `warning: ${target.text} gets no traffic: ${reason}`),
    ]
    if (lines.join('\n') === said) return
    said = lines.join('\n')
    for (const line of lines) log(line)
  }, signal)
}
