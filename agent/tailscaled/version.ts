import { release } from 'node:os'
import { capabilityVersion, isFrom, unsupported } from '../../wire/capability-version.ts'
import { type Capability, chosenBy } from '../world/capability.ts'
import type { Context } from '../world/context.ts'
import type { Store } from '../world/store.ts'
import type { World } from '../world/world.ts'
import { events } from './log-events.ts'
import { udpGsoSince, withoutUdpGso } from './udp-gso.ts'

/** Takes the capability version that tailscaled says with each answer of LocalAPI. */
export function capabilityKeeper(store: Store): (own: number) => void {
  const write = store.writer('capability')
  return (own) => write((now) => (now.own === own ? now : { ...now, own }))
}

/** What earlier releases of tailscaled ignore without a word, when it is asked of them, and the consequence. */
const silentLacks: readonly {
  readonly until: `${number}.${number}`
  readonly asked: (world: World) => boolean
  readonly consequence: (version: string) => string
}[] = [
  {
    until: '1.82',
    asked: ({ tailnet }) => (tailnet.hosted?.length ?? 0) > 0,
    consequence: (version) =>
      `clients cannot reach the Tailscale Services that this node hosts: tailscaled ${version} drops their packets, and 1.82 is the first that does not`,
  },
  {
    until: '1.82',
    asked: ({ settings }) => settings.certShare !== undefined,
    consequence: (version) =>
      `TS_EXPERIMENTAL_CERT_SHARE has no effect: tailscaled ${version} requests certificates of its own, and shares them from 1.82 on`,
  },
  {
    until: '1.98',
    asked: ({ settings, deviceConfig }) =>
      !settings.userspace && deviceConfig?.file.content.config.disableSnat === true,
    consequence: (version) =>
      `DisableSNAT of the config file has no effect: tailscaled ${version} ignores it, so that backends see the Pod’s address; 1.98 is the first that does not`,
  },
  {
    until: udpGsoSince,
    asked: ({ settings }) => withoutUdpGso(settings, release()) !== undefined,
    consequence: (version) =>
      `tailscaled ${version} uses UDP segmentation offload whatever CULVERT_UDP_GSO says: it can do without from ${udpGsoSince} on`,
  },
  {
    until: '1.103',
    asked: ({ settings }) => settings.sharesAcmeAccount,
    consequence: (version) =>
      `TS_ACME_ACCOUNT_SECRET_NAME and TS_ACME_ACCOUNT_FIELD have no effect: tailscaled ${version} keeps an account for certificates in each node, and shares one from 1.103 on`,
  },
]

/**
 * Warns once of a tailscaled that the agent does not know, that is not the one in the image's record, or that lacks
 * what is asked of it.
 */
export async function reportVersion({ store, log, signal }: Pick<Context, 'store' | 'log' | 'signal'>): Promise<void> {
  const { tailnet, capability } = await store.until(
    (world) => world.tailnet.version !== undefined && world.capability.own !== undefined,
    signal,
  )
  const version = tailnet.version!
  for (const problem of [unsupported(version), unrecorded(capability)])
    if (problem !== undefined) log(events.version({ problem }))
  const lacks = silentLacks.filter(({ until }) => isFrom(version, until) === false)
  await Promise.all(
    lacks.map(async ({ asked, consequence }) => {
      await store.until(asked, signal)
      log(events.version({ problem: consequence(version) }))
    }),
  )
}

/** Why the config file may have been chosen for another tailscaled. */
function unrecorded(capability: Capability): string | undefined {
  const { recorded, own } = capability
  if (own === chosenBy(capability)) return undefined
  const what =
    recorded === undefined
      ? `none is recorded in the image, so that ${capabilityVersion} was assumed`
      : `${recorded} is recorded in the image`
  return `tailscaled has capability version ${own}, but ${what}: a config file is chosen by that. Run "culvert check-image --record" in the image’s build, after tailscale and tailscaled are in place.`
}
