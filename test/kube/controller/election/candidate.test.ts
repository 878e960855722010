import { describe, expect, it } from 'vitest'
import {
  type Candidate,
  candidate,
  isHolder,
  isLeader,
  saw,
  stepOf,
  wrote,
} from '../../../../kube/controller/election/candidate.ts'
import { held, released, viewOf } from '../../../../kube/controller/election/lease.ts'
import type { KubeObject } from '../../../../kube/controller/object.ts'

const times = { lease: 15_000, deadline: 10_000, retry: 2000 }
const name = { namespace: 'ns', name: 'lease' }
const fresh = candidate('me', times)
let version = 0

/** A Lease as somebody has written it; `beat` differs from one sign of life to the next. */
const lease = (holder: string | undefined, beat = 0, more: object = {}): KubeObject => {
  version += 1
  const spec = {
    holderIdentity: holder,
    leaseDurationSeconds: 15,
    renewTime: `beat ${beat}`,
    leaseTransitions: 3,
    ...more,
  }
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { ...name, resourceVersion: String(version) },
    spec,
  }
}
const sees = (self: Candidate, object: KubeObject | undefined, now: number): Candidate =>
  saw(self, object && viewOf(object), now)
const waits = (ms: number) => ({ type: 'wait', ms })
const writes = { type: 'write' }

describe('a candidate', () => {
  it('does nothing before it has seen the Lease', () => {
    expect(stepOf(fresh, 1_000_000)).toEqual(waits(times.retry))
  })

  it('takes a Lease at once that nobody holds', () => {
    expect(stepOf(sees(fresh, lease(undefined), 100), 100)).toEqual(writes)
    expect(stepOf(sees(fresh, lease(''), 100), 100)).toEqual(writes)
  })

  it('waits also if it holds the Lease by a request that it gave up: it may have arrived much later', () => {
    expect(stepOf(sees(fresh, lease('me'), 100), 100)).toEqual(waits(15_000))
  })

  it('leaves another alone for as long as that one has asked, from the last change that it has seen', () => {
    let self = sees(fresh, lease('other', 1), 100)
    expect(stepOf(self, 100)).toEqual(waits(15_000))
    // Seen again, without a sign of life: another version alone is none.
    self = sees(self, lease('other', 1), 9000)
    expect(stepOf(self, 9000)).toEqual(waits(6100))
    self = sees(self, lease('other', 2, { leaseDurationSeconds: 60 }), 9000)
    expect(stepOf(self, 10_000)).toEqual(waits(59_000))
    expect(stepOf(self, 69_000)).toEqual(writes)
  })

  it.each([
    ['says no duration', { leaseDurationSeconds: undefined }],
    ['says null', { leaseDurationSeconds: null }],
    ['is not a Lease as they are', { holderIdentity: 7 }],
  ])('waits as long as it would ask for itself if the Lease %s', (_what, more) => {
    expect(stepOf(sees(fresh, lease('other', 1, more), 0), 0)).toEqual(waits(15_000))
  })

  it('does not take it at once that there is no Lease, since it may have been deleted under a leader', () => {
    const self = sees(fresh, undefined, 100)
    expect(stepOf(self, 100)).toEqual(waits(15_000))
    expect(stepOf(sees(self, undefined, 5000), 15_100)).toEqual(writes)
    const after = sees(sees(fresh, lease('other', 1, { leaseDurationSeconds: 30 }), 0), undefined, 29_000)
    expect(stepOf(after, 30_000)).toEqual(waits(29_000))
  })

  it.each([
    ['as here', {}],
    ['by a program that writes all of it anew', { acquireTime: 'beat 9', leaseDurationSeconds: 1 }],
  ])('takes a Lease at once that its holder has given back %s', (_what, more) => {
    const self = sees(sees(fresh, lease('other'), 0), lease(undefined, 9, more), 100)
    expect(stepOf(self, 100)).toEqual(writes)
  })

  it.each([
    ['emptied', lease('other', 1), {}],
    [
      'left without its holder',
      lease('other', 1),
      { leaseDurationSeconds: 15, renewTime: 'beat 1', leaseTransitions: 3 },
    ],
    ['made anew and given back', lease('other', 1), { leaseTransitions: 2 }],
    ['deleted and made anew', undefined, {}],
    ['emptied since, as it was before its first holder', { ...lease(undefined), spec: {} }, {}],
  ])('waits for a whole Lease if that was %s', (_what, before, spec) => {
    const self = sees(sees(fresh, before, 0), { ...lease(undefined), spec }, 20_000)
    expect(stepOf(self, 20_000)).toEqual(waits(15_000))
  })

  it('waits for as long as the holder had asked for before the Lease was emptied', () => {
    const self = sees(fresh, lease('other', 1, { leaseDurationSeconds: 60 }), 0)
    const empty = { ...lease(undefined), spec: {} }
    expect(stepOf(sees(self, empty, 20_000), 20_000)).toEqual(waits(60_000))
    expect(stepOf(sees(sees(self, undefined, 20_000), empty, 21_000), 21_000)).toEqual(waits(59_000))
  })

  it('is leader from when it sent the request, and renews', () => {
    const self = wrote(sees(fresh, lease(undefined), 0), viewOf(lease('me')), 1000, 1000)
    expect(isLeader(self, 10_999)).toBe(true)
    expect(isLeader(self, 11_000)).toBe(false)
    expect(stepOf(self, 1500)).toEqual(waits(1500))
    expect(stepOf(self, 3000)).toEqual(writes)
    expect(stepOf(self, 11_000)).toEqual({ type: 'lost', reason: 'it could not be renewed for 10 s' })
  })

  it('is leader no more when another has taken the Lease, and goes on when somebody has deleted it', () => {
    const self = wrote(sees(fresh, lease(undefined), 0), viewOf(lease('me')), 1000, 1000)
    expect(stepOf(sees(self, lease('other'), 1500), 1500)).toEqual({ type: 'lost', reason: 'other has taken it' })
    expect(stepOf(sees(self, undefined, 3000), 3000)).toEqual(writes)
  })

  it('is leader no more when the Lease is as it was before its last write', () => {
    const [before, after] = [lease('me', 1), lease('me', 2)]
    const self = wrote(sees(fresh, lease(undefined), 0), viewOf(after), 1000, 1000)
    const undone = sees(self, before, 1500)
    expect(isLeader(undone, 1500)).toBe(false)
    const reason = 'the cluster is in an earlier state, as after a restore of etcd'
    expect(stepOf(undone, 1500)).toEqual({ type: 'lost', reason })
    // A write whose answer was lost, and versions that are no numbers.
    expect(isLeader(sees(self, lease('me', 3), 1500), 1500)).toBe(true)
    const named = { ...before, metadata: { ...before.metadata, resourceVersion: 'a' } }
    expect(isLeader(sees(self, named, 1500), 1500)).toBe(true)
  })
})

describe('a candidate with a plan', () => {
  const at = new Date(0)
  /** A Lease that declares a plan. */
  const declaring = (text: string | undefined, holder: string | undefined) => {
    const object = lease(holder)
    const annotations = text === undefined ? {} : { annotations: { 'culvert/shards': text } }
    return { ...object, metadata: { ...object.metadata, ...annotations } }
  }
  const planned = (plan: string) => candidate('me', times, plan)
  const declares = (self: Candidate, now: number) => held(self, name, at, now).metadata.annotations

  it.each([
    ['the undivided one, and the Lease declares none', '1', undefined, undefined],
    ['the one that it declares', '3', '3', undefined],
    ['the undivided one, and it declares that', '1', '1', undefined],
    ['the one of the holder before', '3', '3', 'other/3'],
  ])('writes no other annotation and is leader at once if its plan is %s', (_what, plan, text, holder) => {
    const before = declaring(text, holder)
    const self = sees(planned(plan), before, 0)
    expect(declares(self, 20_000)).toBeUndefined()
    const after = wrote(self, viewOf(declaring(text, plan === '1' ? 'me' : `me/${plan}`)), 20_000, 20_100)
    expect(isLeader(after, 20_100)).toBe(true)
  })

  it.each([
    ['another plan', '3', undefined, undefined],
    ['the plan of before', '1', '3', undefined],
    ['its plan, not settled yet', '3', 'changing to 3', undefined],
    ['its plan, by an annotation that its holder does not know', '3', '3', 'other'],
    ['its plan, by an annotation that a holder with another plan has left', '3', '3', 'other/2'],
  ])('waits for the length of a Lease if that declares %s', (_what, plan, text, holder) => {
    const self = sees(planned(plan), declaring(text, holder), 0)
    expect(held(self, name, at, 20_000).metadata.annotations ?? { 'culvert/shards': text }).toEqual({
      'culvert/shards': `changing to ${plan}`,
    })
    const mine = declaring(`changing to ${plan}`, plan === '1' ? 'me' : `me/${plan}`)
    let after = wrote(self, viewOf(mine), 20_000, 21_000)
    expect([isLeader(after, 21_000), isHolder(after, 21_000)]).toEqual([false, true])
    after = wrote(after, viewOf(mine), 35_000, 35_500)
    expect([isLeader(after, 35_500), declares(after, 35_999)]).toEqual([false, undefined])
    expect(declares(after, 36_000)).toEqual({ 'culvert/shards': plan })
    after = wrote(after, viewOf(declaring(plan, plan === '1' ? 'me' : `me/${plan}`)), 36_000, 36_500)
    expect(isLeader(after, 36_500)).toBe(true)
  })

  it('waits as long as the holder before has asked for, if that is longer', () => {
    const before = viewOf({
      ...declaring('2', 'other/2'),
      spec: { holderIdentity: 'other/2', leaseDurationSeconds: 60 },
    })
    const after = wrote(saw(planned('3'), before, 0), viewOf(declaring('changing to 3', 'me/3')), 60_000, 60_000)
    expect(declares(after, 119_999)).toBeUndefined()
    expect(declares(after, 120_000)).toEqual({ 'culvert/shards': '3' })
  })

  it('waits for a whole Lease if somebody has taken away what a Lease declared that nobody holds', () => {
    const before = declaring('3', undefined)
    const after = { ...before, metadata: { ...name, resourceVersion: '0' } }
    expect(stepOf(sees(sees(planned('1'), before, 0), before, 20_000), 20_000)).toEqual(writes)
    expect(stepOf(sees(sees(planned('1'), before, 0), after, 20_000), 20_000)).toEqual(waits(15_000))
  })

  it('declares its plan again when somebody has deleted the Lease', () => {
    const self = wrote(sees(planned('3'), declaring('3', undefined), 0), viewOf(declaring('3', 'me/3')), 0, 0)
    expect(declares(sees(self, undefined, 1000), 1000)).toEqual({ 'culvert/shards': '3' })
    expect(declares(sees(planned('3'), undefined, 1000), 20_000)).toEqual({ 'culvert/shards': 'changing to 3' })
  })
})

describe('what is written', () => {
  const date = new Date('2026-01-02T03:04:05.678Z')
  const time = '2026-01-02T03:04:05.678000Z'

  it('has the version that the Lease must still have, and says when the holder has changed', () => {
    const self = sees(fresh, lease('other'), 0)
    expect(held(self, name, date, 0)).toEqual({
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { ...name, resourceVersion: String(version) },
      spec: { holderIdentity: 'me', leaseDurationSeconds: 15, renewTime: time, acquireTime: time, leaseTransitions: 4 },
    })
    expect(held(wrote(self, viewOf(lease('me')), 0, 0), name, date, 0)['spec']).toEqual({
      holderIdentity: 'me',
      leaseDurationSeconds: 15,
      renewTime: time,
    })
  })

  it('counts holders from the start again in a Lease that was emptied', () => {
    const self = wrote(sees(fresh, lease(undefined), 0), viewOf(lease('me')), 0, 0)
    const spec = held(sees(self, { ...lease(undefined), spec: {} }, 100), name, date, 100)['spec']
    expect(spec).toMatchObject({ acquireTime: time, leaseTransitions: 0 })
  })

  it('has no version if there is no Lease', () => {
    const made = held(sees(fresh, undefined, 0), name, date, 0)
    expect(made.metadata).toEqual(name)
    expect(made['spec']).toMatchObject({ leaseTransitions: 0 })
  })

  it('names nobody when it is given back', () => {
    expect(released(name, '7', date)).toMatchObject({
      metadata: { resourceVersion: '7' },
      spec: { holderIdentity: null, renewTime: time },
    })
  })
})
