import { type Address, inTailnet } from '../../lib/address.ts'

/** Whether an address is in the IPv4 range of the tailnet, which some clusters use for their own (RFC 6598). */
export const inTailnetRange = (address: Address): boolean => address.family === 4 && inTailnet(address)

/**
 * A warning of what is of the cluster and has such an address. In kernel mode tailscaled drops packets from that range
 * on other devices, so that it is out of reach once the node is logged in.
 */
export const overlapText = (what: string): string =>
  `${what} has an address of the tailnet’s range 100.64.0.0/10, from which tailscaled drops what does not ` +
  'come through the tunnel. Where something of the cluster is out of reach, switch its filter off: ' +
  '--netfilter-mode=off in TS_EXTRA_ARGS, or "NetfilterMode": "off" in the config file'
