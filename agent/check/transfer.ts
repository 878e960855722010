import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { addAbortSignal } from 'node:stream'
import { type AddressPort, parseAddressPort } from '../../lib/address.ts'
import { CulvertError } from '../../lib/errors.ts'
import { dialer } from '../../localapi/dial.ts'
import type { Looking } from './looking.ts'

/** How long is sent, and how much at most. */
const sendMs = 3000
const connectMs = 10_000
const most = 64 * 1024 * 1024
const piece = Buffer.alloc(64 * 1024)

export type Transferred = { readonly bytes: number; readonly seconds: number }

/**
 * Reads where to send to.
 * @throws CulvertError `usage` for what is no address with a port
 */
export function readTransfer(text: string): AddressPort {
  const to = parseAddressPort(text)
  if (to !== undefined) return to
  throw new CulvertError('usage', '--transfer takes an address of the tailnet with a port, such as 100.64.0.9:5201')
}

/**
 * Sends zeros for three seconds to something that reads them, and gives how much the kernel has taken: what that keeps
 * for itself is little where the path is slow. Rejects if nothing listens there.
 */
export async function transfer(
  { host, port }: AddressPort,
  { settings, clock, signal }: Pick<Looking, 'settings' | 'clock' | 'signal'>,
): Promise<Transferred> {
  const limit = AbortSignal.any([signal, clock.timeout(connectMs)])
  const connection = settings.userspace
    ? await dialer(settings.socket)(host, port, limit)
    : await opened(connect({ host, port }), limit)
  const began = clock.now()
  let sent = 0
  const send = (): void => {
    connection.write(piece, (error) => {
      if (error != null) return
      sent += piece.length
      if (sent < most) send()
      else connection.destroy()
    })
  }
  // The end by the clock is one of these.
  connection.on('error', () => {})
  addAbortSignal(AbortSignal.any([signal, clock.timeout(sendMs)]), connection)
  connection.resume()
  send()
  await new Promise((resolve) => connection.on('close', resolve))
  return { bytes: sent, seconds: (clock.now() - began) / 1000 }
}

async function opened(socket: Socket, signal: AbortSignal): Promise<Socket> {
  try {
    await once(socket, 'connect', { signal })
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}
