import { capabilityVersion, unsupported } from '../../wire/capability-version.ts'
import { type Capability, chosenBy } from '../world/capability.ts'
import type { Context } from '../world/context.ts'
import type { Store } from '../world/store.ts'

/** Takes the capability version that tailscaled says with each answer of LocalAPI. */
export function capabilityKeeper(store: Store): (own: number) => void {
  const write = store.writer('capability')
  return (own) => write((now) => (now.own === own ? now : { ...now, own }))
}

/** Warns once of a tailscaled that the agent does not know, or that is not the one in the image's record. */
export async function reportVersion({ store, log, signal }: Pick<Context, 'store' | 'log' | 'signal'>): Promise<void> {
  const { tailnet, capability } = await store.until(
    (world) => world.tailnet.version !== undefined && world.capability.own !== undefined,
    signal,
  )
  for (const problem of [unsupported(tailnet.version!), unrecorded(capability)])
    if (problem !== undefined) log(`warning: ${problem}`)
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
