import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { eventKey, isEventKey, isNodeId, isRecordingKey, readRecordingKey, recordingKey } from '../../recorder/keys.ts'

describe('keys', () => {
  it('of recordings are those of a node and a time, and differ though the time is the same', () => {
    const date = new Date('2026-11-30T12:34:56.789Z')
    const all = Array.from({ length: 50 }, () => recordingKey('nAbc_-1', date))
    expect(new Set(all).size).toBeGreaterThan(45)
    for (const key of all) {
      expect(key).toMatch(/^nAbc_-1\/2026-11-30T12:34:56\.789\d{6}Z\.cast$/)
      expect(isRecordingKey(key)).toBe(true)
      expect(readRecordingKey(key)).toEqual({ id: 'nAbc_-1', began: date.getTime() })
    }
    const event = eventKey('nAbc', date)
    expect([isRecordingKey(event), isEventKey(event), isEventKey(all[0]!)]).toEqual([false, true, false])
  })

  it('of recordings by other recorders are known by their form, with or without a time', () => {
    expect(readRecordingKey('n1/2024-01-02T03:04:05Z.cast').began).toBe(Date.UTC(2024, 0, 2, 3, 4, 5))
    expect(readRecordingKey('n1/anything.cast').began).toBeUndefined()
    expect(isRecordingKey('n1/anything.cast')).toBe(true)
  })

  it.each([
    '',
    'x.cast',
    'n1/.cast',
    'n1/../x.cast',
    '../x.cast',
    'n1/..cast',
    'n1/x',
    'n1/x.cast.part',
    'n 1/x.cast',
    'events/x.cast',
  ])('%j is none of a recording', (key) => {
    expect(isRecordingKey(key)).toBe(false)
  })

  it('a node’s ID is a word, and nothing that a path could be made of', () => {
    expect(['nAbc123CNTRL', 'TESTCTRL00000001'].every(isNodeId)).toBe(true)
    fc.assert(
      fc.property(
        fc.string(),
        fc.constantFrom('/', '.', '\\', '\0', '\n', ' ', 'é'),
        fc.string(),
        (one, odd, other) => {
          expect(isNodeId(`${one}${odd}${other}`)).toBe(false)
        },
      ),
    )
  })
})
