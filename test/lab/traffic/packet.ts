export type End = { readonly address: string; readonly port: number | undefined }

/** A packet as tcpdump shows it. */
export type Packet = {
  /** Seconds since 1970. */
  readonly at: number
  readonly family: 4 | 6
  readonly from: End
  readonly to: End
  /** Such as `tcp 0`, `UDP, length 12`, `ICMP echo request…`. */
  readonly text: string
}

/** Parses a line of `tcpdump -n -tt -q`; undefined for anything but IPv4 and IPv6. */
export function parsePacket(line: string): Packet | undefined {
  // With `-i any` a device and a direction come before the protocol.
  const match = /^(\d+\.\d+) (?:\S+ +(?:In|Out|B|M|P) +)?(IP6?) (\S+) > (\S+): (.*)$/.exec(line)
  if (match === null) return undefined
  const [, at = '', protocol, from = '', to = '', text = ''] = match
  const family = protocol === 'IP6' ? 6 : 4
  return { at: Number(at), family, from: end(family, from), to: end(family, to), text }
}

/** tcpdump appends the port to the address with another dot. */
function end(family: 4 | 6, text: string): End {
  const match = (family === 4 ? /^((?:\d+\.){3}\d+)\.(\d+)$/ : /^([\da-f:]+)\.(\d+)$/).exec(text)
  if (match === null) return { address: text, port: undefined }
  return { address: match[1] ?? '', port: Number(match[2]) }
}
