import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { RecorderBed } from './recorder-bed.ts'

let bed: RecorderBed
beforeEach(async () => {
  bed = await RecorderBed.start()
})
afterEach(() => bed[Symbol.asyncDispose]())

describe('an event', () => {
  const event =
    '{"type":"kubernetes-api-request","id":"","source":{"nodeUserID":30585448562688899},"destination":{"node":"","nodeID":""}}'

  it('is stored with a key as its ID, and with the uploader as destination', async () => {
    expect((await bed.ask({ method: 'HEAD', path: '/v2/event' })).status).toBe(200)
    const answer = await bed.ask(
      { method: 'POST', path: '/v2/event', headers: { 'content-type': 'application/json' } },
      event,
    )
    expect(answer.status).toBe(200)
    const [file] = bed.files
    expect(file).toMatch(/^events\/nLaptop\/\d{4}\/\d\d\/\d\d\/.*\.json$/)
    const stored = bed.read(file!)
    expect(JSON.parse(stored)).toMatchObject({
      type: 'kubernetes-api-request',
      id: file,
      destination: { node: 'laptop.lab.ts.net', nodeID: 'nLaptop' },
    })
    // A number that JavaScript cannot hold.
    expect(stored).toContain('30585448562688899')
  })

  it.each([['no JSON'], ['[]'], ['null'], ['"text"']])('is refused if it is %s', async (body) => {
    const answer = await bed.ask({ method: 'POST', path: '/v2/event' }, body)
    expect([answer.status, answer.body]).toEqual([400, expect.stringContaining('this is no event')])
    expect(bed.files).toEqual([])
  })
})
