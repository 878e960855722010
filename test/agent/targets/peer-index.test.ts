import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { indexOf } from '../../../agent/targets/peer-index.ts'
import { parseAddress } from '../../../lib/address.ts'
import { entriesOf, layered } from '../../../lib/layered-map.ts'
import { changePeers, noPeers, type Peers } from '../../../localapi/peers.ts'
import { aChange } from '../../localapi/peer-changes.ts'

const addresses = ['100.64.0.1', '100.64.0.2', 'fd7a::1', '10.1.0.1', '10.1.0.2', '10.2.0.1', '8.8.8.8', 'fd00::1']

/** Everything that can be found among these peers. */
const found = (peers: Peers): unknown => {
  const { named, withAddress, hostOf, routerOf } = indexOf(peers)
  const at = addresses.map((text) => parseAddress(text)!)
  return [['a', 'B.', '.c.', 'd'].map(named), at.map(withAddress), at.map(hostOf), at.map(routerOf)]
}

it('finds the same after any changes as without a cached index, whatever the order of peers', () => {
  fc.assert(
    fc.property(fc.array(aChange), (changes) => {
      let peers = noPeers
      const versions = changes.map((change) => (peers = changePeers(peers, change)))
      for (const version of versions)
        expect(found(version)).toEqual(found(layered(new Map([...entriesOf(version)].toReversed()))))
    }),
  )
})
