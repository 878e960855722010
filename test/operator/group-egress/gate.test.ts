import { describe, expect, it } from 'vitest'
import { gate, patience, type Routed } from '../../../operator/group-egress/gate.ts'

const one = (name: string, isHere: boolean, isElsewhere = false): Routed => ({ name, isHere, isElsewhere })

describe('a new Pod of an egress group', () => {
  it.each<[string, readonly Routed[], number, boolean, string]>([
    ['is ready when there are no Services', [], 0, true, 'EgressServicesRouted'],
    ['is ready when all lead to it', [one('a', true), one('b', true, true)], 0, true, 'EgressServicesRouted'],
    [
      'waits for one that works elsewhere',
      [one('a', false, true)],
      patience.elsewhere - 1,
      false,
      'EgressServicesPending',
    ],
    ['does not wait for that for ever', [one('a', false, true)], patience.elsewhere, true, 'EgressServicesMissing'],
    [
      'waits a moment for one that works nowhere',
      [one('a', false)],
      patience.nowhere - 1,
      false,
      'EgressServicesPending',
    ],
    ['does not wait longer for that', [one('a', false)], patience.nowhere, true, 'EgressServicesMissing'],
    [
      'waits for the other ones all the same',
      [one('a', false), one('b', false, true), one('c', true)],
      patience.nowhere,
      false,
      'EgressServicesPending',
    ],
  ])('%s', (_what, services, waited, isOpen, reason) => {
    expect(gate(services, waited)).toMatchObject({ isOpen, reason })
  })

  it('names what it waits for, and looks again when that is over', () => {
    expect(gate([one('ns/b', false), one('ns/a', false, true)], 5000)).toEqual({
      isOpen: false,
      reason: 'EgressServicesPending',
      message: 'waits for ns/a, ns/b',
      again: patience.nowhere - 5000,
    })
  })

  it('names what it has not waited for', () => {
    expect(gate([one('ns/b', false), one('ns/a', true)], patience.nowhere).message).toBe(
      'has not waited any longer for ns/b',
    )
  })
})
