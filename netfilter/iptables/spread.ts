import type { Family } from '../../lib/address.ts'
import { spreadOf } from '../spread.ts'
import type { ForwardingTable } from '../table.ts'
import { digitsOf, kernelText } from './address-text.ts'
import { nameOf } from './tree.ts'

/** A chain for each address with several backends. */
export const spreadChains = (ingress: ForwardingTable['ingress'][Family], family: Family): [string, string[]][] =>
  spreadOf(ingress).several.map(({ address, backends }) => [
    spreadChain(address, family),
    backends.map((backend, index) => `${chance(backends.length - index)}${leadTo(backend)}`),
  ])

export const spreadChain = (address: string, family: Family): string => nameOf('CULVERT-OF', digitsOf(address, family))

/** One in so many; the kernel counts in parts of 2³¹, and iptables prints these. */
const chance = (of: number): string =>
  of === 1 ? '' : `-m statistic --mode random --probability ${(Math.round(2 ** 31 / of) / 2 ** 31).toFixed(11)} `

export const leadTo = (backend: string): string => `-j DNAT --to-destination ${kernelText(backend)}`
