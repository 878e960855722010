import { describe, expect, it } from 'vitest'
import { nextSync, type Sync, type Synced } from '../../../operator/group/sync.ts'

/** What a Pod is told, second by second, while the files change as given and it lags as given. */
function play(digests: readonly string[], lags: (second: number) => boolean, told?: string): (string | undefined)[] {
  let synced: Synced | undefined
  return digests.map((digest, second) => {
    const { tell, next }: Sync = nextSync(digest, { told, synced, lags: () => lags(second), now: second * 1000 })
    synced = next ?? synced
    told = tell ?? told
    return tell
  })
}

const seconds = (digest: string, count: number): string[] => Array.from({ length: count }, () => digest)

describe('a Pod is told of changed files', () => {
  it('once, if it does then what they say', () => {
    expect(play(seconds('a', 4), () => false)).toEqual(['a', undefined, undefined, undefined])
  })

  it('again while it lags, and not for ever', () => {
    expect(play(seconds('a', 12), () => true).map((tell, second) => (tell ? `${second}: ${tell}` : ''))).toEqual([
      '0: a',
      '',
      '2: a.2',
      '',
      '',
      '',
      '',
      '7: a.3',
      '',
      '',
      '',
      '',
    ])
  })

  it('of each change, also while it lags', () => {
    expect(play(['a', 'b', 'b', 'c'], () => true)).toEqual(['a', 'b', undefined, 'c'])
  })

  it('not again after a restart of the operator', () => {
    expect(play(seconds('a', 5), () => true, 'a.2')).toEqual([undefined, undefined, undefined, undefined, undefined])
  })

  it('once a second at most', () => {
    const synced = { digest: 'a', count: 1, at: 1000 }
    expect(nextSync('b', { told: 'a', synced, lags: () => true, now: 1300 })).toEqual({ again: 700 })
  })
})
