import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Recording } from '../../recorder/recording.ts'
import { aStore } from './a-store.ts'
import { header, output } from './recorder-bed.ts'

const clock = { now: () => 0, date: () => new Date('2026-11-30T12:00:00Z') }

const lines = fc.array(fc.string({ maxLength: 50 }), { maxLength: 10 })

describe('a recording', () => {
  it('reports as stored whole lines that survive, and at its end everything, however it is cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(lines, fc.array(fc.nat(40)), fc.boolean(), async (texts, cuts, isCut) => {
        const { state, store } = aStore()
        const recording = await Recording.begin(store, 'nA', clock)
        const all = Buffer.from(`${header()}${texts.map((text, at) => output(at, text)).join('')}[99,"o`)
        let sent = 0
        for (const length of [...cuts, all.length]) {
          const piece = all.subarray(sent, sent + length)
          await recording.write(piece)
          sent += piece.length
          const reported = await recording.sync()
          expect(reported).toBeLessThanOrEqual(state.survives)
          expect(reported === 0 || all[reported - 1] === 0x0a).toBe(true)
        }
        const entry = await (isCut ? recording.cut('a reason', clock.date()) : recording.complete(clock.date()))
        const whole = all.toString().slice(0, all.toString().lastIndexOf('\n') + 1)
        const seconds = texts.length > 0 ? texts.length - 1 : 0
        expect(state.finished).toBe(isCut ? `${whole}[${seconds},"m","recording cut off: a reason"]\n` : all.toString())
        expect(entry).toMatchObject({ state: isCut ? 'cut' : 'whole', bytes: state.survives })
        expect(recording.acknowledged).toBe(isCut ? whole.length : all.length)
      }),
    )
  })

  it('that has no line is removed', async () => {
    const { state, store } = aStore()
    const recording = await Recording.begin(store, 'nA', clock)
    await recording.write(Buffer.from('{"version"'))
    expect(await recording.cut('a reason', clock.date())).toBeUndefined()
    expect(state).toMatchObject({ isGone: true, finished: undefined })
  })

  it.each([
    ['ENOSPC', 507, 'the recorder has no room left'],
    ['EDQUOT', 507, 'the recorder has no room left'],
    ['EIO', 503, 'the recorder cannot store anything (EIO)'],
  ])('after %s reports nothing more as stored, and is left to be finished later', async (fault, status, message) => {
    const { state, store } = aStore()
    const recording = await Recording.begin(store, 'nA', clock)
    await recording.write(Buffer.from(header()))
    const before = await recording.sync()
    await recording.write(Buffer.from(output(1, 'x')))
    state.fault = fault
    const expected = { status, message, reason: 'storage' }
    await expect(recording.sync()).rejects.toMatchObject(expected)
    await expect(recording.write(Buffer.from(output(2, 'x')))).rejects.toMatchObject(expected)
    await expect(recording.complete(clock.date())).rejects.toMatchObject(expected)
    expect([recording.acknowledged, state.isLeft]).toEqual([before, false])
    await expect(recording.cut('a reason', clock.date())).rejects.toMatchObject(expected)
    expect([recording.acknowledged, state.isLeft]).toEqual([before, true])
  })

  it('ends when it is larger than allowed, with the whole lines before that', async () => {
    const { state, store } = aStore()
    const whole = header() + output(1, 'x')
    const recording = await Recording.begin(store, 'nA', clock, whole.length + 10)
    const all = Buffer.from(whole + output(2, 'too much'))
    await expect(recording.write(all)).rejects.toMatchObject({ status: 413, reason: 'limit' })
    await recording.cut('a reason', clock.date())
    expect(state.finished).toBe(`${whole}[1,"m","recording cut off: a reason"]\n`)
  })
})
