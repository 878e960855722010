import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { aWhois } from '../apiserver/a-whois.ts'
import { header, RecorderBed } from './recorder-bed.ts'

let bed: RecorderBed
beforeEach(async () => {
  bed = await RecorderBed.start()
})
afterEach(() => bed[Symbol.asyncDispose]())

describe('who uploads is what tailscaled says', () => {
  it('a device that it does not know is refused', async () => {
    bed.tailscaled.whois = (_address, response) => void response.writeHead(404).end('no match')
    const upload = await (await bed.upload('100.64.9.9')).begun()
    await upload.over()
    expect([upload.status, upload.text]).toEqual([403, 'culvert: this device is not in the tailnet\n'])
    expect(bed.tailscaled.asked.at(-1)).toBe('100.64.9.9 tcp')
  })

  it.each([
    ['whose key has expired', { Expired: true }, 403],
    ['that has another address', { Addresses: ['100.64.0.8/32'] }, 503],
    ['without a stable ID', { StableID: '' }, 503],
    ['whose ID is a path', { StableID: '../../etc' }, 503],
    ['whose ID is a path from the root', { StableID: '/etc' }, 503],
    ['whose ID is that of the events', { StableID: 'events' }, 503],
  ])('a device %s is refused', async (_what, node, status) => {
    bed.tailscaled.whois = (address) => aWhois(address, { node })
    const upload = await (await bed.upload()).begun()
    await upload.over()
    expect(upload.status).toBe(status)
    expect(bed.files).toEqual([])
  })

  it('an upload that is given up while tailscaled is asked does not stay open', async () => {
    const answers = Promise.withResolvers<void>()
    bed.tailscaled.whois = (address, response) => {
      void answers.promise.then(() => response.end(aWhois(address)))
      return undefined
    }
    const upload = await bed.upload()
    await expect.poll(() => bed.tailscaled.asked.length).toBe(1)
    await upload.break()
    answers.resolve()
    await expect.poll(() => bed.printed).toEqual([expect.objectContaining({ stage: 'ended', state: 'discarded' })])
    expect([await bed.metric('culvert_recorder_open'), bed.files]).toEqual([0, []])
  })

  it('a connection without a PROXY header is not answered', async () => {
    const socket = await bed.openBare()
    const closed = once(socket, 'close')
    let heard = ''
    socket.on('data', (some: Buffer) => (heard += some.toString()))
    socket.write('HEAD /v2/record HTTP/1.1\r\nHost: recorder\r\n\r\n')
    await closed
    expect(heard).toBe('')
  })

  it('names in a header change nothing about where a recording is kept', async () => {
    const tricky = header({ srcNode: '../../etc/x', srcNodeID: '/etc', command: '\0' })
    const upload = await (await bed.upload()).begun()
    await upload.write(tricky)
    await upload.end()
    expect(bed.files).toEqual([expect.stringMatching(/^nLaptop\//)])
  })
})
