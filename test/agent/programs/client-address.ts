// Runs as a separate process: node client-address.ts PORT
// Answers each TCP connection with what its PROXY protocol header says (version 1 or 2), and the first line after it.
import { createServer } from 'node:net'

const signature = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')

type Header = { readonly version: number; readonly client: string; readonly length: number }

function parse(bytes: Buffer): Header | undefined {
  if (bytes.subarray(0, 12).equals(signature) && bytes.length >= 16) {
    const length = 16 + bytes.readUInt16BE(14)
    if (bytes.length < length) return undefined
    const isIPv4 = (bytes[13]! & 0xf0) === 0x10
    const address = bytes.subarray(16, isIPv4 ? 20 : 32)
    const groups = Array.from({ length: 8 }, (_, index) => address.readUInt16BE(index * 2 - (isIPv4 ? index * 2 : 0)))
    const client = isIPv4
      ? [...address].join('.')
      : new URL(`http://[${groups.map((n) => n.toString(16)).join(':')}]`).hostname.slice(1, -1)
    return { version: 2, client, length }
  }
  const line = /^PROXY TCP[46] (\S+) \S+ \d+ \d+\r\n/.exec(bytes.toString('latin1'))
  return line === null ? undefined : { version: 1, client: line[1]!, length: line[0].length }
}

createServer((socket) => {
  socket.on('error', () => {})
  let bytes = Buffer.alloc(0)
  socket.on('data', (data) => {
    bytes = Buffer.concat([bytes, data])
    const header = parse(bytes)
    const rest = header && bytes.subarray(header.length).toString()
    if (header !== undefined && rest?.endsWith('\n') === true) {
      socket.end(`${JSON.stringify({ version: header.version, client: header.client, data: rest.trim() })}\n`)
    }
  })
}).listen(Number(process.argv[2]), '::', () => console.log('listening'))
