import type { Family } from '../../lib/address.ts'
import { spreadOf } from '../spread.ts'
import type { ForwardingTable } from '../table.ts'
import { digitsOf, kernelText } from './address-text.ts'
import { nameOf } from './tree.ts'

/** A chain for each address with several backends. */
export const spreadChains = (ingress: ForwardingTable['ingress'][Family], family: Family): [string, string[]][] =>
  spreadOf(ingress).several.map(({ address, backends }) => [
    spreadChain(address, family),
    spreadRules(backends, leadTo),
  ])

/** Rules that pick one of several backends with equal probabilities. */
export const spreadRules = (backends: readonly string[], lead: (backend: string) => string): string[] =>
  backends.map((backend, index) => `${chance(backends.length - index)}${lead(backend)}`)

export const spreadChain = (address: string, family: Family): string => nameOf('CULVERT-OF', digitsOf(address, family))

/** The probability 1/`of`, as iptables prints it: the kernel stores it in units of 2⁻³¹. */
const chance = (of: number): string =>
  of === 1 ? '' : `-m statistic --mode random --probability ${(Math.round(2 ** 31 / of) / 2 ** 31).toFixed(11)} `

export const leadTo = (backend: string): string => `-j DNAT --to-destination ${kernelText(backend)}`
