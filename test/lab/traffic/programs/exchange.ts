import { createSocket } from 'node:dgram'
import { request } from 'node:https'
import { connect, isIPv6 } from 'node:net'
import type { ProbeSettings } from '../protocol.ts'

/** Sends one message over a new connection or socket and returns the answer. Rejects with an error that has a code. */
export function exchange(settings: ProbeSettings, message: string): Promise<string> {
  if (settings.protocol === 'https') return overHttps(settings)
  return settings.protocol === 'tcp' ? overTcp(settings, message) : overUdp(settings, message)
}

/** An error like the system's own, with a code. */
function failure(code: string): Error {
  return Object.assign(new Error(code), { code })
}

function overTcp({ to, port, patience, localPort }: ProbeSettings, message: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect({ host: to, port, noDelay: true, ...(localPort !== undefined && { localPort }) })
    const timer = setTimeout(() => socket.destroy(failure('ETIMEDOUT')), patience)
    socket.setEncoding('utf8')
    socket.on('connect', () => socket.write(`${message}\n`))
    socket.on('data', (chunk: string) => {
      text += chunk
      if (!text.includes('\n')) return
      resolve(text.slice(0, text.indexOf('\n')))
      socket.end()
    })
    socket.on('error', reject)
    socket.on('close', () => {
      clearTimeout(timer)
      // Has no effect after an answer.
      reject(failure('EOF'))
    })
  })
}

function overHttps({ to, port, patience, name = to }: ProbeSettings): Promise<string> {
  return new Promise((resolve, reject) => {
    const at = { host: to, port, servername: name, headers: { host: name }, agent: false }
    const asked = request(at, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => {
        if (answer.statusCode === 200) resolve(Buffer.concat(chunks).toString())
        else reject(failure(`HTTP ${answer.statusCode}`))
      })
    })
    const timer = setTimeout(() => asked.destroy(failure('ETIMEDOUT')), patience)
    asked.on('error', reject)
    asked.on('close', () => {
      clearTimeout(timer)
      // Has no effect after an answer.
      reject(failure('EOF'))
    })
    asked.end()
  })
}

function overUdp({ to, port, patience, resendEvery }: ProbeSettings, message: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createSocket(isIPv6(to) ? 'udp6' : 'udp4')
    const finish = (act: () => void): void => {
      clearTimeout(timer)
      clearInterval(resending)
      socket.close()
      act()
    }
    const timer = setTimeout(() => finish(() => reject(failure('ETIMEDOUT'))), patience)
    let resending: NodeJS.Timeout | undefined
    socket.on('error', (error) => finish(() => reject(error)))
    socket.on('message', (answer) => finish(() => resolve(answer.toString())))
    // A connected socket receives ICMP errors.
    socket.connect(port, to, () => {
      socket.send(message)
      if (resendEvery !== undefined) resending = setInterval(() => socket.send(message), resendEvery)
    })
  })
}
