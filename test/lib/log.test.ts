import { expect, it } from 'vitest'
import { logEvents } from '../../lib/log-event.ts'
import { openLog, reworded } from '../../lib/log.ts'
import type { LogSettings } from '../../lib/log-settings.ts'
import { VirtualClock } from './virtual-clock.ts'

const meaning = 'for the page'
const events = logEvents('room', {
  complete: { text: 'Startup complete, waiting for shutdown signal', awaited: true, meaning },
  said: { text: '{what}', meaning },
  odd: { text: 'warning: {count} of {what}: {problem}', meaning },
  bug: { text: 'error: {problem}', meaning },
  detail: { text: 'a detail', level: 'debug', meaning },
})

function opened(settings: Partial<LogSettings>) {
  const lines: string[] = []
  const clock = new VirtualClock()
  const log = openLog(
    'agent',
    { format: 'text', level: 'info', ...settings },
    { write: (line) => lines.push(line), clock },
  )
  type Line = { readonly source: string; readonly event: string }
  const documents = (): Line[] => lines.splice(0).map((line) => JSON.parse(line) as Line)
  return { ...log, clock, lines, documents }
}

it('writes text in the form that scripts for upstream grep for, one line per event', () => {
  const { log, lines } = opened({})
  log(events.complete())
  log(events.said({ what: 'one\nboot: two\r\n' }))
  log(events.said({ what: 'a\tbär \u001b[2J\u009b\u202e' }))
  expect(lines.map((line) => line.replace(/^boot: \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /, ''))).toEqual([
    'Startup complete, waiting for shutdown signal\n',
    'one; boot: two\n',
    'a\tbär \\u001b[2J\\u009b\\u202e\n',
  ])
})

it('writes a JSON document per event, with its name, level and fields, and without the words for the level', () => {
  const { log, documents } = opened({ format: 'json' })
  log(events.odd({ count: 2, what: 'a "{problem}"', problem: new Error('no\nway', { cause: new Error('gone') }) }))
  expect(documents()).toEqual([
    {
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      level: 'warn',
      source: 'agent',
      event: 'room.odd',
      msg: '2 of a "{problem}": no; way: gone',
      count: 2,
      what: 'a "{problem}"',
      problem: 'no\nway: gone',
    },
  ])
})

it.each([
  ['debug', ['info', 'info', 'warn', 'error', 'debug']],
  ['info', ['info', 'info', 'warn', 'error']],
  ['warn', ['info', 'warn', 'error']],
  ['error', ['info', 'error']],
] as const)('at the level %s, leaves out what matters less, but not lines that scripts wait for', (level, told) => {
  const { log, documents } = opened({ format: 'json', level })
  log(events.complete())
  log(events.said({ what: 'x' }))
  log(events.odd({ count: 1, what: 'x', problem: 'y' }))
  log(events.bug({ problem: 'y' }))
  log(events.detail())
  expect(documents()).toMatchObject(told.map((one) => ({ level: one })))
})

it('names things in text and fields as the reader knows them', () => {
  const event = reworded(events.odd({ count: 1, what: 'TS_X', problem: 'TS_X is odd' }), (text) =>
    text.replaceAll('TS_X', '--x'),
  )
  expect(event).toMatchObject({ text: 'warning: 1 of --x: --x is odd', fields: { count: 1, what: '--x' } })
})

it('in text, tells an event each time', () => {
  const { log, lines } = opened({})
  for (let i = 0; i < 3; i += 1) log(events.said({ what: 'x' }))
  expect(lines).toHaveLength(3)
})

it('in JSON, tells what repeats once, and then with a count each minute', async () => {
  const { log, clock, documents } = opened({ format: 'json' })
  for (let i = 0; i < 3; i += 1) log(events.said({ what: 'x' }))
  log(events.said({ what: 'y' }))
  expect(documents()).toEqual([
    expect.not.objectContaining({ repeated: expect.anything() }),
    expect.objectContaining({ msg: 'y' }),
  ])
  await clock.advance(60_000)
  expect(documents()).toMatchObject([{ event: 'room.said', msg: 'x', what: 'x', repeated: 2 }])
  // The next minute begins with that.
  log(events.said({ what: 'x' }))
  expect(documents()).toEqual([])
  await clock.advance(60_000)
  expect(documents()).toMatchObject([{ msg: 'x', repeated: 1 }])
  await clock.advance(60_000)
  expect(documents()).toEqual([])
  log(events.said({ what: 'x' }))
  expect(documents()).toEqual([expect.not.objectContaining({ repeated: expect.anything() })])
})

it('never holds back a line that scripts wait for, nor the lines of another program', () => {
  const { log, carry, documents } = opened({ format: 'json' })
  log(events.complete())
  log(events.complete())
  for (let i = 0; i < 2; i += 1) carry?.('tailscaled', events.said({ what: 'x' }))
  carry?.('tailscaled', events.detail())
  expect(documents().map((line) => [line.source, line.event])).toEqual([
    ['agent', 'room.complete'],
    ['agent', 'room.complete'],
    ['tailscaled', 'room.said'],
    ['tailscaled', 'room.said'],
  ])
})

it('tells what is held back before the process ends, and leaves no timer', () => {
  const { log, flush, clock, documents } = opened({ format: 'json' })
  for (const what of ['x', 'x', 'y', 'x']) log(events.said({ what }))
  documents()
  flush()
  expect(documents()).toMatchObject([{ msg: 'x', repeated: 2 }])
  expect(clock.pending).toBe(0)
})

it('remembers a limited number of events, and tells the others each time', () => {
  const { log, documents } = opened({ format: 'json' })
  for (let i = 0; i < 1200; i += 1) log(events.said({ what: `${i % 600}` }))
  const again = documents().slice(600)
  expect(again).toHaveLength(100)
  expect(again[0]).toMatchObject({ what: '500' })
})
