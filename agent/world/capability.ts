import { capabilityVersion } from '../../wire/capability-version.ts'

/** The capability version of tailscaled. */
export type Capability = {
  /** As recorded when the image was built; undefined without a record. */
  readonly recorded?: number
  /** As tailscaled itself says; undefined until it has answered. */
  readonly own?: number
}

/** The one by which the config file is chosen: that is before tailscaled starts. */
export const chosenBy = ({ recorded = capabilityVersion }: Capability): number => recorded

/** The one that operators are told. */
export const toldOf = (capability: Capability): number => capability.own ?? chosenBy(capability)
