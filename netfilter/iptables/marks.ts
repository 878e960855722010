/**
 * Our connections are marked when they begin, and recognised by that as long as they exist, even when their rules
 * are gone. Instead of the address set of nftables, iptables could only compare one address after the other. Bits that
 * neither tailscaled nor Kubernetes use.
 */
const markMask = 0x3000_0000
export const marks = { ingress: 0x1000_0000, egress: 0x2000_0000, refused: 0x3000_0000 } as const
type Kind = keyof typeof marks

/** The kind of a connection with this mark; undefined if it is not ours. */
export const kindOf = (mark = 0): Kind | undefined => kinds.find((kind) => (mark & markMask) === marks[kind])
const kinds = ['ingress', 'egress', 'refused'] as const satisfies readonly Kind[]

const hex = (value: number): string => `0x${value.toString(16)}`
/** Matches connections of a kind. */
export const connection = (kind: Kind): string => `-m connmark --mark ${hex(marks[kind])}/${hex(markMask)}`
/** Matches the connections of all kinds. */
export const anyOfOurs = `-m connmark ! --mark 0x0/${hex(markMask)}`
export const markConnection = (value: number): string => `-j CONNMARK --set-xmark ${hex(value)}/${hex(markMask)}`

/** tailscaled's part of a packet's mark. No other bit may change. */
const tailscaledMark = (value: number): string => `${hex(value)}/0xff0000`
const setMark = (mark: string): string => `-j MARK --set-xmark ${mark}`
/** tailscaled's mark of its own packets, which are routed as if there was no tailscaled. */
export const asHost = setMark(tailscaledMark(0x8_0000))
export const unmarked = setMark(tailscaledMark(0))
