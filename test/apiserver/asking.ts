import type { Duplex } from 'node:stream'
import { expect } from 'vitest'
import type { ProxyBed } from './proxy-bed.ts'

export const auth = { APISERVER_PROXY: 'auth' }
export const watchPath = '/api/v1/pods?watch=true'
export const execPath = '/api/v1/namespaces/a/pods/b/exec?command=sh'
export const head = (line: string, ...headers: readonly string[]): string =>
  [`${line} HTTP/1.1`, 'Host: kube', ...headers, '', ''].join('\r\n')
export const upgrade = (protocol: string): string =>
  head(`POST ${execPath}`, 'Connection: Upgrade', `Upgrade: ${protocol}`)

/** All bytes of a connection so far, and a wait for some of them. */
export function reading(socket: Duplex) {
  let got = ''
  socket.on('data', (chunk: Buffer) => (got += chunk.toString('latin1')))
  socket.on('error', () => {})
  return { text: () => got, until: (part: string) => expect.poll(() => got, { interval: 5 }).toContain(part) }
}

/** Changes the protocol of a connection to one that sends all back. */
export const echo: ProxyBed['upstream']['change'] = (_forward, socket, first) => {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\nX-Its: own\r\n\r\n')
  if (first.length > 0) socket.write(first)
  socket.pipe(socket)
}
