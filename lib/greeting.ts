import type { Socket } from 'node:net'
import { parseAddress } from './address.ts'
import { isLoopback, type Origin, parseProxyHeader, type Parsed } from './proxy-header.ts'

/** The most that a connection may take to begin, in milliseconds. */
export const greetingMs = 10_000

export type Greeting = {
  readonly origin: Origin
  /** The first bytes behind the PROXY header, which stay to be read. HTTP/2 begins with `PRI`. */
  readonly begin: string
}

/**
 * Reads how a connection begins. `isProxied`: with a PROXY header of version 2, which is only believed from this machine
 * itself. Waits for at least so many bytes behind it. `known` is called once before that, and may throw instead.
 * @throws Error with the reason why nothing may be answered; never if the connection ends before
 */
export function greeting(
  socket: Socket,
  options: { readonly isProxied: boolean; readonly least: number; readonly known?: (origin: Origin) => void },
): Promise<Greeting> {
  const { isProxied, least } = options
  let { known } = options
  const from = parseAddress(socket.remoteAddress ?? '')
  return new Promise((resolve, reject) => {
    if (from === undefined || (isProxied && !isLoopback(from)))
      return reject(new Error('it does not come from this machine'))
    const direct: Parsed = { kind: 'origin', origin: { address: from, port: socket.remotePort ?? 0 }, length: 0 }
    let bytes = Buffer.alloc(0)
    const read = (): void => {
      const chunk: unknown = socket.read()
      if (Buffer.isBuffer(chunk)) bytes = Buffer.concat([bytes, chunk])
      const parsed = isProxied ? parseProxyHeader(bytes) : direct
      if (parsed.kind === 'more') return
      if (parsed.kind === 'bad') return settle(() => reject(new Error(parsed.why)))
      try {
        known?.(parsed.origin)
        known = undefined
      } catch (error) {
        return settle(() => reject(error))
      }
      const rest = bytes.subarray(parsed.length)
      if (rest.length < least) return
      settle(() => {
        if (rest.length > 0) socket.unshift(rest)
        resolve({ origin: parsed.origin, begin: rest.toString('latin1', 0, least) })
      })
    }
    const end = (): void => clearTimeout(timer)
    const settle = (done: () => void): void => {
      end()
      socket.off('readable', read).off('close', end)
      done()
    }
    const timer = setTimeout(() => settle(() => reject(new Error('it has not begun in time'))), greetingMs)
    socket.on('readable', read).on('close', end)
  })
}
