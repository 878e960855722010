import { networkInterfaces } from 'node:os'
import { parseAddress, parseAddressPort } from '../../lib/address.ts'
import { CulvertError } from '../../lib/errors.ts'
import { readable } from '../../lib/quote.ts'
import type { Ruleset } from '../forwarding/ruleset.ts'
import { ask } from './ask.ts'
import { fateInWords, fateOf, isFromTailnet, type Packet } from './fate.ts'

type Given = ReadonlyMap<string, string>
type Out = { readonly print: (text: string) => Promise<void>; readonly complain: (text: string) => void }

const usage = (message: string): CulvertError => new CulvertError('usage', message)
const longestSeconds = 600

/**
 * Says what becomes of a packet by the rules of the running agent, which `socket` is that of, and shows packets that
 * come.
 * @throws CulvertError `usage` for what is no packet
 */
export async function runTrace(given: Given, { print, complain }: Out, socket: string): Promise<void> {
  const packet = readPacket(given)
  const seconds = Number(given.get('seconds') ?? 10)
  if (!(seconds > 0 && seconds <= longestSeconds)) throw usage(`--seconds takes a number up to ${longestSeconds}`)
  const { body } = await ask(socket, '/ruleset').catch((cause: unknown) => {
    throw new CulvertError('command', `no agent answers on ${socket}`, { cause })
  })
  const ruleset: Ruleset = JSON.parse(body)
  const local = Object.values(networkInterfaces()).flatMap((all = []) =>
    all.flatMap(({ address }) => parseAddress(address)?.text ?? []),
  )
  const fate = fateOf(packet, ruleset, new Set(local))
  const [isJson, isLive] = [given.get('json') === 'true', given.get('live') === 'true']
  // With what follows it is the first of many values, one a line.
  await print(isJson ? `${JSON.stringify(fate, null, isLive ? 0 : 2)}\n` : fateInWords(packet, fate))
  if (!isLive) return
  // Imported on demand: it starts programs.
  const { followPackets } = await import('../../netfilter/trace.ts')
  const { systemClock } = await import('../../lib/clock.ts')
  let count = 0
  const tell = (line: string): void => {
    count += 1
    const text = readable(line.trimEnd())
    void print(`${isJson ? JSON.stringify({ nft: text }) : text}\n`)
  }
  const begun = (): void => complain(`Following such packets for ${seconds} s…\n`)
  await followPackets(packet, { tell, begun }, systemClock.timeout(Math.ceil(seconds * 1000)))
  if (count === 0) complain('No such packet came.\n')
}

/** @throws CulvertError `usage` */
export function readPacket(given: Given): Packet {
  const protocol = given.get('PROTOCOL')
  if (protocol !== 'tcp' && protocol !== 'udp') throw usage('trace takes tcp or udp, and an address with a port')
  const to = parseAddressPort(given.get('ADDRESS:PORT') ?? '')
  const address = parseAddress(to?.host ?? '')
  if (to === undefined || address === undefined)
    throw usage('trace takes an address with a port, such as 100.64.0.9:80 or [fd7a:115c:a1e0::9]:80')
  const from = given.get('from') ?? (isFromTailnet(address) ? 'tailnet' : 'cluster')
  if (from !== 'tailnet' && from !== 'cluster') throw usage('--from takes tailnet or cluster')
  return { protocol, address, port: to.port, from }
}
