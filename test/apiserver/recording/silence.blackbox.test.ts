import { once } from 'node:events'
import { connect } from 'node:net'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Upload } from '../../../apiserver/recording/upload.ts'
import { probeVersion2, takeByVersion2 } from '../../../apiserver/recording/version2.ts'
import { Recorder } from '../recorder.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

it('a recorder of version 2 of which nothing is heard for half a minute is lost', async () => {
  await using recorder = await Recorder.start()
  const { signal } = new AbortController()
  const socket = connect(Number(recorder.address.split(':')[1]), '127.0.0.1')
  await once(socket, 'connect')
  const taker = await takeByVersion2(await probeVersion2(socket, recorder.address, signal), signal)
  const lost = expect(taker.done).rejects.toThrow('nothing was heard of the recorder')
  vi.advanceTimersByTime(30_000)
  await lost
  taker.close()
})

it('a recorder that takes nothing for half a minute is lost, and so is what is written later', async () => {
  const reasons: string[] = []
  const body = new Writable({ write: () => {} })
  const taker = { body, done: new Promise<void>(() => {}), close: () => void body.destroy() }
  const upload = new Upload(taker, ({ message }) => reasons.push(message))
  const refused = expect(upload.write('first')).rejects.toThrow('the recorder takes nothing')
  vi.advanceTimersByTime(29_999)
  expect(reasons).toEqual([])
  vi.advanceTimersByTime(1)
  await refused
  await expect(upload.write('second')).rejects.toThrow('the recorder takes nothing')
  expect([reasons, body.destroyed]).toEqual([['the recorder takes nothing'], true])
})
