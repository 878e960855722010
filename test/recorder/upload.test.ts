import { describe, expect, it } from 'vitest'
import { Refused } from '../../recorder/refused.ts'
import { anUpload } from './an-upload.ts'
import { header, output } from './recorder-bed.ts'

describe('an uploader', () => {
  it('hears of what is stored within a second, and otherwise every five seconds', async () => {
    const { clock, request, acknowledged } = await anUpload()
    await clock.advance(12_000)
    expect(acknowledged).toEqual([
      [5, 0],
      [10, 0],
    ])
    const text = header()
    request.push(text)
    await clock.advance(7000)
    expect(acknowledged.slice(2)).toEqual([
      [13, text.length],
      [18, text.length],
    ])
  })

  it('hears nothing while the disk does not answer, so that it gives up', async () => {
    const { clock, state, request, acknowledged } = await anUpload()
    state.isStuck = true
    request.push(header())
    await clock.advance(60_000)
    expect(acknowledged).toEqual([])
  })

  it('is cut off when it takes no answers for a minute', async () => {
    const { clock, uploader, received } = await anUpload()
    uploader.isDeaf = true
    await clock.advance(70_000)
    await expect(received).rejects.toMatchObject({ reason: 'gone', message: 'the uploader takes no answers' })
  })

  it('is cut off when the disk fails, though it sends nothing more', async () => {
    const { clock, state, request, received } = await anUpload()
    request.push(header())
    await clock.settle()
    state.fault = 'EIO'
    await clock.advance(2000)
    await expect(received).rejects.toMatchObject({ reason: 'storage' })
  })

  it('is cut off when the recorder ends', async () => {
    const { clock, stop, received } = await anUpload()
    await clock.settle()
    const reason = new Refused(503, 'stopping', 'the recorder is shutting down')
    stop.abort(reason)
    await expect(received).rejects.toBe(reason)
    await clock.settle()
    expect(clock.pending).toBe(0)
  })

  it('ends only with its last byte', async () => {
    const { clock, request, received } = await anUpload()
    request.push(header())
    request.push(output(1, 'seen'))
    request.push(null)
    // The connection broke: the end of the message was never read.
    await clock.settle()
    await expect(received).rejects.toMatchObject({ reason: 'gone' })
  })
})
