import * as fc from 'fast-check'
import { parseAddress, parsePrefix } from '../../lib/address.ts'
import type { Peer, PeersChange } from '../../localapi/peers.ts'

/** Few different peers, names, addresses and routes, so that they coincide. Some peers have no number. */
const aPeer: fc.Arbitrary<[string, Peer]> = fc
  .record({
    id: fc.nat(20),
    name: fc.constantFrom('a.', 'A.', 'b.', 'c.'),
    addresses: fc.uniqueArray(fc.constantFrom('100.64.0.1', '100.64.0.2', 'fd7a::1'), { maxLength: 2 }),
    allowed: fc.uniqueArray(fc.constantFrom('0.0.0.0/0', '10.0.0.0/8', '10.1.0.0/16', '10.1.0.1/32', 'fd00::/8'), {
      maxLength: 2,
    }),
    numbered: fc.boolean(),
  })
  .map(({ id, name, addresses, allowed, numbered }) => [
    `n${id}`,
    {
      name,
      addresses: addresses.map((text) => parseAddress(text)!),
      allowed: allowed.map((text) => parsePrefix(text)!),
      ...(numbered && { nodeId: String(id + 1) }),
    },
  ])

/** Anything that one message can say of peers; no daemon reports one as changed and removed at once. */
export const aChange: fc.Arbitrary<PeersChange> = fc
  .record({ whole: fc.boolean(), changed: fc.array(aPeer), gone: fc.array(fc.nat(20), { maxLength: 3 }) })
  .map(({ whole, changed, gone }) => {
    const news = new Map(changed)
    return { whole, changed: news, removed: gone.filter((id) => !news.has(`n${id}`)).map((id) => String(id + 1)) }
  })
