import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { expect } from 'vitest'
import { aWhois, granting } from './a-whois.ts'
import { execPath, head, reading } from './asking.ts'
import type { ProxyBed } from './proxy-bed.ts'
import { type Wire, wires } from './recording/wires.ts'

/** The request that begins a session. */
export const attach = ({ method, headers }: Wire = wires.webSocket, path = execPath): string =>
  head(`${method} ${path}`, 'Connection: Upgrade', ...headers)

/** Has the API server begin all sessions; gives its ends of them. */
export function holdSessions({ upstream }: ProxyBed): Duplex[] {
  const containers: Duplex[] = []
  upstream.change = ({ method }, socket) => {
    const protocol = method === 'GET' ? 'websocket' : 'SPDY/3.1'
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`)
    containers.push(socket)
  }
  return containers
}

/** Asks for a session as a peer to whom these recorders apply; `containers` gets the only one. */
export async function askForSession(
  bed: ProxyBed,
  {
    from,
    capability,
    request,
    containers,
  }: {
    readonly from: string
    readonly capability: object
    readonly request: string
    readonly containers: readonly Duplex[]
  },
) {
  const capMap = granting(capability)
  bed.tailscaled.whois = (address) => aWhois(address, { capMap })
  const socket = await bed.open(from)
  const client = reading(socket)
  const closed = once(socket, 'close')
  socket.write(request)
  const container = async (): Promise<Duplex> => {
    await expect.poll(() => containers.length).toBe(1)
    return containers[0]!
  }
  const ended = (more: object = {}) => bed.audited({ from, stage: 'ended', ...more })
  return { from, socket, client, closed, container, ended }
}
