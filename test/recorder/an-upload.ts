import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { Recording } from '../../recorder/recording.ts'
import { receive } from '../../recorder/upload.ts'
import { VirtualClock } from '../lib/virtual-clock.ts'
import { aStore } from './a-store.ts'

/** An upload in virtual time; `acknowledged` has what the uploader was told, with the time in seconds. */
export async function anUpload() {
  const clock = new VirtualClock()
  const { state, store } = aStore()
  const recording = await Recording.begin(store, 'nA', clock)
  const request = new IncomingMessage(new Socket())
  const acknowledged: [number, number][] = []
  const uploader = { isDeaf: false }
  const words = {
    acknowledge: (bytes: number): void => void acknowledged.push([clock.now() / 1000, bytes]),
    isDeaf: () => uploader.isDeaf,
  }
  const stop = new AbortController()
  const received = receive(request, recording, words, { clock, stop: stop.signal, begun: () => {} })
  received.catch(() => {})
  return { clock, state, request, acknowledged, uploader, stop, received }
}
