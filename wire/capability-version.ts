/** The tailscaled that this agent is made for and shipped with. */
export const tailscaleVersion = '1.102.5'

/**
 * The capability version of that tailscaled: the protocol version it speaks. Operators name config files after it
 * (`cap-142.hujson`), and the agent writes it to the state Secret. Building the image fails with another tailscaled.
 */
export const capabilityVersion = 142
