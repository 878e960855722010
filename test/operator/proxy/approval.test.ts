import { expect, test } from 'vitest'
import { approvals } from '../../../operator/proxy/approval.ts'
import type { Device } from '../../../operator/proxy/request.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'

const never = new AbortController().signal
const device = (ordinal: number, more: Partial<Device> = {}): Device => ({
  ordinal,
  id: `n${ordinal}`,
  fqdn: `office-${ordinal}.lab.ts.net`,
  addresses: [],
  httpsEndpoint: undefined,
  isCurrent: true,
  isReady: true,
  ...more,
})
type Routes = { readonly advertised: readonly string[]; readonly enabled: readonly string[] }

function start(routesOf: (id: string) => Routes | undefined) {
  const clock = new VirtualClock()
  const asked: string[] = []
  const look = approvals({
    clock,
    tailnet: {
      getDevice: async (id) => {
        asked.push(id)
        const routes = routesOf(id)
        return { id, name: id, hostname: id, addresses: [], tags: [], machineKey: undefined, ...(routes && { routes }) }
      },
    },
  })
  return { clock, asked, look }
}
const both = ['10.1.0.0/16', '10.2.0.0/16']

test('what a node offers and nobody has approved is named, and looked at again after a minute', async () => {
  let enabled: readonly string[] = []
  const { clock, asked, look } = start(() => ({ advertised: [...both, '10.9.0.0/16'], enabled }))
  expect(await look(both, [device(0)], never)).toEqual({
    unapproved: [{ node: 'office-0', routes: both }],
    again: 60_000,
  })
  enabled = both
  await clock.advance(59_000)
  expect(await look(both, [device(0)], never)).toMatchObject({ unapproved: [{ routes: both }], again: 1000 })
  expect(asked).toHaveLength(1)
  await clock.advance(1000)
  expect(await look(both, [device(0)], never)).toEqual({ unapproved: [], again: 600_000 })
  await clock.advance(590_000)
  await look(both, [device(0)], never)
  expect(asked).toHaveLength(2)
})

test('what a node does not offer yet, and what the server does not say, is no fault', async () => {
  const { look } = start((id) => (id === 'n0' ? { advertised: ['10.1.0.0/16'], enabled: ['10.1.0.0/16'] } : undefined))
  expect((await look(both, [device(0), device(1)], never)).unapproved).toEqual([])
})

test('nodes that are not up, and those that offer nothing, are not looked at; of many, ten are', async () => {
  const { asked, look } = start(() => undefined)
  await look([], [device(0)], never)
  await look(both, [device(0, { isCurrent: false }), device(1, { fqdn: undefined })], never)
  expect(asked).toEqual([])
  await look(
    both,
    Array.from({ length: 12 }, (_, ordinal) => device(ordinal)),
    never,
  )
  expect(asked).toHaveLength(10)
})

test('a server that does not answer is not waited for, nor asked for more', async () => {
  const clock = new VirtualClock()
  let asked = 0
  const getDevice = async (_id: string, signal: AbortSignal): Promise<never> => {
    asked += 1
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
    throw signal.reason
  }
  const looked = approvals({ clock, tailnet: { getDevice } })(both, [device(0), device(1)], never)
  await clock.advance(5000)
  expect(await looked).toEqual({ unapproved: [], again: 60_000 })
  expect(asked).toBe(1)
})
