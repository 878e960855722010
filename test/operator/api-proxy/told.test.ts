import { expect, test } from 'vitest'
import { telling } from '../../../operator/api-proxy/told.ts'
import type { Refused } from '../../../operator/kind.ts'

const image: Refused = { as: 'pending', reason: 'ProxyPodNotStarted', message: 'its image cannot be pulled' }
const missing: Refused = { as: 'invalid', reason: 'ServiceAccountMissing', message: 'there is no account' }
const warning = ({ reason, message }: Refused) => ({ event: { type: 'Warning', reason, message } })

test('a Pod that does not start is told of after a minute, and other things at once', () => {
  let now = 5000
  const told = telling({ now: () => now })
  const after = (ms: number, refused: Refused | undefined) => {
    now += ms
    return told(refused)
  }
  expect(after(0, undefined)).toEqual({})
  expect(after(0, image)).toEqual({ again: 60_000 })
  expect(after(59_000, image)).toEqual({ again: 1000 })
  expect(after(1000, image)).toEqual(warning(image))
  expect(after(15_000, image)).toEqual(warning(image))
  expect(after(0, missing)).toEqual(warning(missing))
  // It has begun anew.
  expect(after(0, image)).toEqual({ again: 60_000 })
  expect(after(50_000, undefined)).toEqual({})
  expect(after(50_000, image)).toEqual({ again: 60_000 })
})
