import { expect, it } from 'vitest'
import { readSettings } from '../../../agent/settings/read.ts'
import { followBus } from '../../../agent/sources/bus.ts'
import { shortWaits } from '../../../agent/waits.ts'
import { createStore, initialWorld } from '../../../agent/world.ts'
import type { LocalApi } from '../../../localapi/client.ts'

it('the watch is opened again when it ends, and its first message replaces what was held', async () => {
  const store = createStore({
    ...initialWorld(readSettings({}).settings, [4, 6]),
    daemon: { phase: 'running', restarts: 0 },
  })
  const status = (state: string, address: string) => ({
    InitialStatus: { BackendState: state, Self: { ID: 'n', DNSName: 'p.', TailscaleIPs: [address] } },
  })
  const watches = [
    [status('Running', '100.64.0.1'), 'not JSON', { Health: { Warnings: { w: { Text: 'W' } } } }],
    [status('Starting', '100.64.0.2'), { ErrMessage: 'fell behind' }, { State: 6 }],
  ]
  const opened: string[] = []
  const proceed = Array.from(watches, () => Promise.withResolvers<void>())
  const api: LocalApi = {
    get: async () => '',
    post: async () => '',
    patch: async () => '',
    stream: async (path) => {
      const index = opened.push(path) - 1
      const messages = watches[index]
      if (messages === undefined) throw new Error('refused')
      return (async function* () {
        for (const message of messages)
          yield Buffer.from(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`)
        await proceed[index]?.promise
      })()
    },
  }
  const log: string[] = []
  const stop = new AbortController()
  const following = followBus({ store, api, log: (text) => log.push(text), waits: shortWaits }, stop.signal)

  await expect.poll(() => store.world.tailnet.health.get('w')).toBe('W')
  expect(store.world.tailnet).toMatchObject({
    watching: true,
    state: 'Running',
    self: { addresses: [{ text: '100.64.0.1' }] },
  })
  proceed[0]?.resolve()
  await expect.poll(() => store.world.tailnet.self?.addresses[0]?.text).toBe('100.64.0.2')
  await expect.poll(() => store.world.tailnet).toMatchObject({ state: 'Running', health: new Map() })
  proceed[1]?.resolve()
  await expect.poll(() => store.world.tailnet.watching).toBe(false)
  // Rules go on meanwhile: the addresses are kept, the state is not known.
  expect(store.world.tailnet).toMatchObject({ self: { addresses: [{ text: '100.64.0.2' }] } })
  expect(store.world.tailnet).not.toHaveProperty('state')
  expect(opened[0]).toMatch(/^watch-ipn-bus\?mask=\d+$/)
  expect(log.join('\n')).toMatch(/rejected a message[\s\S]*tailscaled: fell behind/)
  stop.abort()
  await following
})
