/** Bytes of an IPv6 address that is written in full or with one `::`. */
function bytesOf6(address: string): number[] {
  const [begin = '', end = ''] = address.split('::')
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'))
  const [first, last] = [groups(begin), groups(end)]
  const all = [...first, ...Array.from({ length: 8 - first.length - last.length }, () => '0'), ...last]
  return all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255])
}

/** The header with which tailscaled begins a connection of a peer: version 2 of the PROXY protocol. */
export function proxyHeader(address: string, port: number, more: Buffer = Buffer.alloc(0)): Buffer {
  const isIPv6 = address.includes(':')
  const from = isIPv6 ? bytesOf6(address) : address.split('.').map(Number)
  const to = from.map(() => 1)
  const ports = Buffer.alloc(4)
  ports.writeUInt16BE(port, 0)
  ports.writeUInt16BE(443, 2)
  const rest = Buffer.concat([Buffer.from([...from, ...to]), ports, more])
  const head = Buffer.from('\r\n\r\n\0\r\nQUIT\n\x21\0\0\0', 'latin1')
  head[13] = isIPv6 ? 0x21 : 0x11
  head.writeUInt16BE(rest.length, 14)
  return Buffer.concat([head, rest])
}
