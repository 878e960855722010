import { describe, expect, it, test } from 'vitest'
import type { TailscaleService } from '../../../operator/api/api.ts'
import type { Identity } from '../../../operator/group-ingress/identity.ts'
import { claim, isElsewhere, isOwned, release, type Wish } from '../../../operator/group-ingress/owners.ts'

const east: Identity = { operatorId: 'east', former: [], place: 'cluster-1/tailscale' }
const west: Identity = { operatorId: 'west', former: [], place: 'cluster-2/tailscale' }
const wish = { name: 'svc:web', ports: ['tcp:443'], tags: ['tag:k8s'] }

const owners = (...ids: readonly string[]): string =>
  JSON.stringify({ ownerRefs: ids.map((operatorID) => ({ operatorID })) })
/** As Tailscale's operator makes it. */
const made = (ownerRefs: string | undefined, more: Partial<TailscaleService> = {}): TailscaleService => ({
  ...wish,
  addrs: ['100.100.0.1', 'fd7a::1'],
  comment: 'made by an operator',
  annotations: ownerRefs === undefined ? {} : { 'tailscale.com/owner-references': ownerRefs },
  ...more,
})
const idsOf = ({ annotations }: TailscaleService): unknown => {
  const { ownerRefs } = JSON.parse(annotations['tailscale.com/owner-references'] ?? '{}') as {
    ownerRefs?: { operatorID: string }[]
  }
  return ownerRefs?.map(({ operatorID }) => operatorID)
}
/** What is there after a claim. */
const claimed = (present: TailscaleService | undefined, who: Identity, wanted: Wish = wish): TailscaleService => {
  const next = claim(present, wanted, who)
  if (next.do === 'refuse') throw new Error(next.why)
  return next.service
}

test('one that is absent is made, with this operator as its owner', () => {
  const next = claim(undefined, wish, east)
  expect(next).toMatchObject({ do: 'put', service: { ...wish, addrs: [] } })
  expect(idsOf(claimed(undefined, east))).toEqual(['east'])
})

test('one that is as wished is left as it is, whatever the order and format of its texts', () => {
  const present = claimed(undefined, east, { ...wish, ports: ['tcp:80', 'tcp:443'] })
  const spaced = JSON.stringify(JSON.parse(present.annotations['tailscale.com/owner-references'] ?? ''), null, 2)
  const other = { ...present, annotations: { ...present.annotations, 'tailscale.com/owner-references': spaced } }
  const again = claim(other, { ...wish, ports: ['tcp:443', 'tcp:80', 'tcp:443'] }, east)
  expect(again).toEqual({ do: 'nothing', service: other, differs: [] })
})

describe('one that others have', () => {
  it('is shared, and keeps its addresses, its comment and other annotations', () => {
    const present = made(owners('west'), {
      annotations: { note: 'x', 'tailscale.com/owner-references': owners('west') },
    })
    const after = claimed(present, east)
    expect(after).toMatchObject({ addrs: present.addrs, comment: present.comment, annotations: { note: 'x' } })
    expect(idsOf(after)).toEqual(['west', 'east'])
    expect(isOwned(after, west) && isOwned(after, east)).toBe(true)
  })

  it('has the ports and tags that the first owner wants, so that they do not undo each other’s', () => {
    const both = claimed(claimed(undefined, west), east)
    const others = { ...wish, ports: ['tcp:443', 'tcp:80'], tags: ['tag:other'] }
    expect(claim(both, others, east)).toEqual({
      do: 'nothing',
      service: both,
      differs: ['its ports are tcp:443', 'its tags are tag:k8s'],
    })
    expect(claim(both, others, west)).toMatchObject({ do: 'put', service: { ...others }, differs: [] })
  })

  it.each([
    ['no owner', undefined, /was not made by a Kubernetes operator/],
    ['an empty list of owners', '{"ownerRefs":[]}', /was not made by a Kubernetes operator/],
    ['an annotation that is none', '{', /was not made by a Kubernetes operator/],
    [
      'an owner that does not share',
      '{"ownerRefs":[{"operatorID":"west","resource":{"kind":"ProxyGroup","name":"api","uid":"u"}}]}',
      /API server proxy/,
    ],
  ])('is not taken if it has %s, and never removed', (_what, ownerRefs, why) => {
    const present = made(ownerRefs)
    expect(claim(present, wish, east)).toEqual({ do: 'refuse', why: expect.stringMatching(why) as unknown })
    expect(release(present, east)).toEqual({ do: 'nothing' })
  })
})

describe('one that a group of API server proxies has alone', () => {
  const only = { kind: 'ProxyGroup', name: 'api', uid: 'u1' }
  const wanted = { ...wish, resource: only }
  const refs = (...all: readonly object[]): string => JSON.stringify({ ownerRefs: all })
  const theirs = { operatorID: 'east', resource: only }

  it('is made, with the object among its owners', () => {
    const next = claim(undefined, wanted, east)
    expect(next).toMatchObject({ do: 'put', service: { ...wish, addrs: [] } })
    const after = claimed(undefined, east, wanted)
    expect(JSON.parse(after.annotations['tailscale.com/owner-references'] ?? '')).toEqual({ ownerRefs: [theirs] })
    expect(after).not.toHaveProperty('resource')
    expect(claim(after, wanted, east)).toMatchObject({ do: 'nothing' })
    expect(release(after, east, only)).toEqual({ do: 'remove' })
  })

  it('of Tailscale’s operator is taken over with its addresses, and so is that of an earlier group of this name', () => {
    const present = made(refs({ operatorID: 'node', resource: { ...only, uid: 'u0' } }), { tags: ['tag:old'] })
    const after = claimed(present, { ...east, former: ['node'] }, wanted)
    expect(after).toMatchObject({ addrs: present.addrs, tags: wish.tags })
    expect(JSON.parse(after.annotations['tailscale.com/owner-references'] ?? '')).toEqual({ ownerRefs: [theirs] })
  })

  it.each([
    ['is of another cluster', refs({ operatorID: 'west', resource: only })],
    ['is of another group', refs({ operatorID: 'east', resource: { ...only, name: 'other' } })],
    ['is shared', refs({ operatorID: 'east' })],
    ['has several owners', refs(theirs, { operatorID: 'west' })],
    ['has no owner', undefined],
  ])('is not had if it %s, and not removed', (_what, ownerRefs) => {
    expect(claim(made(ownerRefs), wanted, east).do).toBe('refuse')
    expect(release(made(ownerRefs), east, only)).toEqual({ do: 'nothing' })
  })

  it('is not taken by the same group of a copy of its cluster', () => {
    const copy: Identity = { ...east, place: 'cluster-3/tailscale' }
    const present = claimed(undefined, east, wanted)
    expect(claim(present, wanted, copy).do).toBe('refuse')
    expect(release(present, copy, only)).toEqual({ do: 'nothing' })
  })
})

describe('an operator that has lost its ID', () => {
  const renamed: Identity = { ...east, operatorId: 'east-2' }

  it('finds its own by the place where it runs, and replaces the old ID where that was', () => {
    const both = claimed(claimed(undefined, east), west)
    const after = claimed(both, renamed)
    expect(idsOf(after)).toEqual(['east-2', 'west'])
    expect(claim(after, wish, west)).toMatchObject({ do: 'nothing' })
  })

  it('finds its own by the IDs that it had before, as those of Tailscale’s operator have no place', () => {
    const after = claimed(made(owners('node', 'west')), { ...east, former: ['node'] })
    expect(idsOf(after)).toEqual(['east', 'west'])
    expect(release(made(owners('node')), { ...east, former: ['node'] })).toEqual({ do: 'remove' })
  })

  it('takes nothing from a place that is not its own', () => {
    expect(idsOf(claimed(claimed(undefined, west), renamed))).toEqual(['west', 'east-2'])
  })
})

describe('one that is no longer wanted', () => {
  it('is removed by the last owner', () => {
    expect(release(claimed(undefined, east), east)).toEqual({ do: 'remove' })
  })

  it('is left to the others as it is', () => {
    const alone = claimed(undefined, west)
    const both = claimed(alone, east)
    const next = release(both, east)
    expect(next).toEqual({ do: 'put', service: alone })
    expect(release(alone, east)).toEqual({ do: 'nothing' })
    expect(release(undefined, east)).toEqual({ do: 'nothing' })
  })
})

test('another operator with the same ID is noticed', () => {
  const copy: Identity = { ...east, place: 'cluster-3/tailscale' }
  const present = claimed(undefined, east)
  expect(isElsewhere(present, copy)).toBe(true)
  expect(isElsewhere(present, east)).toBe(false)
})
