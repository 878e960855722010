import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { Newest } from '../../../recorder/index/newest.ts'
import { eventKey } from '../../../recorder/keys.ts'

it('has the requests that came last, newest first, in whatever order they are listed', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(1e6)), fc.integer({ min: 1, max: 9 }), (times, most) => {
      const newest = new Newest(most)
      const keys = times.map((time) => [time, eventKey('nA', new Date(time))] as const)
      for (const [, key] of keys) newest.add({ key, bytes: 1, modified: new Date(0) })
      const sorted = keys.toSorted(([one], [other]) => other - one).map(([, key]) => key)
      expect(newest.all().map(({ key }) => key)).toEqual(sorted.slice(0, most))
    }),
  )
})
