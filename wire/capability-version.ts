/** The tailscaled that this agent is made for and shipped with. */
export const tailscaleVersion = '1.102.5'

/**
 * The capability version of that tailscaled: how much of the protocol it speaks. An operator names config files after
 * it (`cap-142.hujson`), and the state Secret tells it. The image is not built with a tailscaled that says otherwise.
 */
export const capabilityVersion = 142
