import { CulvertError } from '../../../lib/errors.ts'
import { ask, type Answer } from '../bed.ts'
import type { DemoBed, Shown } from './variant.ts'

/** The combinations of protocol and family that are shown. */
export const ways = [
  { protocol: 'tcp', family: 'v4', title: 'IPv4' },
  { protocol: 'tcp', family: 'v6', title: 'IPv6' },
  { protocol: 'udp', family: 'v4', title: 'IPv4' },
  { protocol: 'udp', family: 'v6', title: 'IPv6' },
] as const

export type Way = (typeof ways)[number]

/** An answer of the echo server as a row of the table. */
export function shown(title: string, through: string, { host, peer, peerPort, data, took }: Answer): Shown {
  return { title, from: `${host} through ${through}`, came: `"${data}"`, saw: `${peer} port ${peerPort}`, took }
}

/** Two hosts that have not communicated yet first find a path; a datagram sent meanwhile may be lost. */
const tries = 4

/** Exchanges a message with the backend from the client. Throws CulvertError `command` without an answer. */
export async function reach(bed: DemoBed, way: Way, to: string): Promise<Answer> {
  const data = `hello by ${way.protocol.toUpperCase()} over ${way.title}`
  for (let left = tries; ; left -= 1) {
    try {
      return await ask(bed.host('client'), { to, protocol: way.protocol, data })
    } catch (error) {
      if (left === 1) throw error
    }
  }
}

/** Checks that the client cannot reach `to` without the tailnet. Throws CulvertError `command` if it can. */
export async function isRefused(bed: DemoBed, way: Way, to: string): Promise<void> {
  const answer = await ask(bed.host('client'), { to, protocol: way.protocol }).catch(() => undefined)
  if (answer === undefined) return
  throw new CulvertError('command', `the client reached ${to} without the proxy: what was shown proves nothing`)
}
