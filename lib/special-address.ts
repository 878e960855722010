import { type Address, contains, parsePrefix } from './address.ts'

const special = (
  [
    ['0.0.0.0/8', 'no address of a host'],
    ['::/128', 'no address of a host'],
    ['127.0.0.0/8', 'a loopback address'],
    ['::1/128', 'a loopback address'],
    ['169.254.0.0/16', 'a link-local address'],
    ['fe80::/10', 'a link-local address'],
    ['224.0.0.0/4', 'a multicast address'],
    ['ff00::/8', 'a multicast address'],
    ['240.0.0.0/4', 'no address of a host'],
  ] as const
).map(([text, what]) => ({ prefix: parsePrefix(text)!, what }))

/** The kind of an address to which nothing can be forwarded; undefined for all others. */
export const specialAddress = (address: Address): string | undefined =>
  special.find(({ prefix }) => contains(prefix, address))?.what
