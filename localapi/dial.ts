import type { Duplex } from 'node:stream'
import { passOnce } from '../lib/http-client.ts'
import { readBody } from '../lib/read-body.ts'
import { LocalApiError, Refusal } from './error.ts'

/** The most that is read of a refusal, in bytes. */
const maxBodyBytes = 64 * 1024

/**
 * Opens a TCP connection to a host of the tailnet.
 * @throws LocalApiError if tailscaled cannot, or the host is not in the tailnet
 */
export type Dial = (host: string, port: number, signal: AbortSignal) => Promise<Duplex>

/** Has the tailscaled at `socketPath` open connections, which works with and without a TUN device. */
export function dialer(socketPath: string): Dial {
  const server = { socketPath, host: 'local-tailscaled.sock' }
  return async (host, port, signal) => {
    const target = { 'Dial-Host': host, 'Dial-Port': String(port), 'Dial-Network': 'tcp' }
    const headers = Object.entries(target).flat()
    // The connection outlives what its opening waits for.
    const opening = new AbortController()
    const stop = (): void => opening.abort(signal.reason)
    signal.addEventListener('abort', stop)
    try {
      signal.throwIfAborted()
      const request = { method: 'POST', path: '/localapi/v0/dial', headers, body: null, signal: opening.signal }
      const answer = await passOnce(server, { ...request, upgrade: 'ts-dial' })
      if ('connection' in answer) return answer.connection
      const words = await readBody(answer.body, maxBodyBytes)
      // 200 means that we should connect ourselves.
      if (answer.status === 200) throw new Error(`${host} is not in the tailnet`)
      throw new Refusal(answer.status, words.trim().slice(0, 2000), undefined)
    } catch (cause) {
      throw new LocalApiError('LocalAPI dial failed', cause)
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }
}
