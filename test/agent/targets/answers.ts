import { type Address, parseAddress } from '../../../lib/address.ts'
import type { DnsAnswer } from '../../../lib/resolver.ts'

export const addressesOf = (...texts: string[]): Address[] => texts.map((text) => parseAddress(text)!)

export const withTtl = (ttl: number, ...texts: string[]): DnsAnswer => ({
  kind: 'addresses',
  addresses: addressesOf(...texts),
  ttl,
})
export const addresses = (...texts: string[]): DnsAnswer => withTtl(30, ...texts)

export const noName: DnsAnswer = { kind: 'none', exists: false }
export const noAddress: DnsAnswer = { kind: 'none', exists: true }
export const brokenAnswer: DnsAnswer = { kind: 'failed', reason: '10.96.0.10: no answer' }
