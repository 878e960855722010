import { publicMachineKey } from '../../wire/machine-key.ts'
import type { Bed } from '../lab/bed.ts'
import type { PlayedAgentsOptions } from './played-agents.ts'
import { machineKeyFor } from './played-state.ts'

/** Joins a bed's tailnet. A key that is not there, or was used, is refused. */
export const joinOf =
  ({ control }: Bed): NonNullable<PlayedAgentsOptions['join']> =>
  async (hostname, authKey) => {
    await control.deleteKey(authKey)
    const machineKey = machineKeyFor(authKey)
    const node = await control.createNode(hostname, { machineKey: publicMachineKey(machineKey)! })
    return { id: node.stableId, fqdn: node.fqdn, addresses: node.addresses, machineKey }
  }
