import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { playable, transcript } from '../../../recorder/cast/playable.ts'

const cast = (header: object, ...lines: readonly unknown[]): string =>
  [{ version: 2, ...header }, ...lines]
    .map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))
    .join('\n')

describe('a recording is made so that it can be played', () => {
  it('keeps output, sizes and markers', () => {
    const events = [
      [0, 'o', 'a'],
      [1.5, 'r', '100x30'],
      [2, 'm', 'mark'],
    ]
    expect(playable(cast({ width: 80, height: 24 }, ...events))).toEqual({
      header: { version: 2, width: 80, height: 24 },
      events,
      unreadable: 0,
    })
  })

  it.each([
    ['of nobody', {}, [80, 24]],
    ['of zero', { width: 0, height: 0 }, [80, 24]],
    ['that are nonsense', { width: -1, height: 'x' }, [80, 24]],
    ['that are too large to be drawn', { width: 1e9, height: 1e9 }, [500, 200]],
  ])('has sizes %s replaced', (_what, header, size) => {
    const { width, height } = playable(cast(header)).header
    expect([width, height]).toEqual(size)
  })

  it('begins with the first size that is said, if the header has none', () => {
    const { header } = playable(cast({ width: 0, height: 0 }, [0, 'o', 'x'], [1, 'r', '132x50']))
    expect(header).toMatchObject({ width: 132, height: 50 })
  })

  it('turns sizes around that have the rows first, and leaves out those that are none', () => {
    const { events } = playable(
      cast({ width: 80, height: 24 }, [0, 'r', 'x'], [1, 'r', '30x100'], [2, 'r', '99999x99998']),
    )
    expect(events).toEqual([
      [1, 'r', '100x30'],
      [2, 'r', '500x200'],
    ])
  })

  it('leaves out what was typed and what is not known, and counts what is no event', () => {
    const lines = [
      [0, 'i', 'secret'],
      [0, 'zz', 'x'],
      'nonsense',
      [1],
      [null, 'o', 'x'],
      [-1, 'o', 'x'],
      [0, 'o', 7],
      '',
      [1, 'o', 'y'],
    ]
    expect(playable(cast({}, ...lines))).toMatchObject({ events: [[1, 'o', 'y']], unreadable: 5 })
  })

  it('has times that go forward, up to a limit', () => {
    const { events } = playable(cast({}, [5, 'o', 'a'], [1, 'o', 'b'], '[1e999,"o","c"]', [6, 'o', 'd']))
    expect(events.map(([seconds]) => seconds)).toEqual([5, 5, 1e8, 1e8])
  })

  it.each([[''], ['{}'], ['[]'], ['{"version":3}'], ['nonsense']])('refuses %j, which has no header', (text) => {
    expect(() => playable(text)).toThrow('no header')
  })

  it('takes whatever comes after a header', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.string(),
            fc.json(),
            fc.json().map((one) => `[1,"r",${one}]`),
          ),
        ),
        (lines) => {
          const { events } = playable(cast({}, ...lines))
          for (const [seconds, kind, text] of events) {
            expect(seconds).toBeGreaterThanOrEqual(0)
            expect(['o', 'r', 'm']).toContain(kind)
            expect(typeof text).toBe('string')
          }
        },
      ),
    )
  })
})

it('as text, a recording has what was shown, without colours and movements', () => {
  const shown = [
    '\u001B[1;31mred\u001B[0m\r\n',
    '\u001B]0;title\u0007a\u001B]8;;http://x\u001B\\link\u001B]8;;\u001B\\',
    '\u001B(B\u001B=b\u0008\u0000\tc\rd\u001BP1$r\u001B\\',
  ]
  expect(transcript({ events: shown.map((text, at) => [at, 'o', text] as const) })).toBe('red\nalinkb\tc\nd')
})
