import { expect, test } from 'vitest'
import type { TailnetDevice } from '../../../operator/api/api.ts'
import { lineOf } from '../../../lib/finding.ts'
import { judgeLost, lostAmong, removeLost } from '../../../operator/devices/lost.ts'

const device = (id: string, more: Partial<TailnetDevice> = {}): TailnetDevice => ({
  id,
  name: `${id}.lab.ts.net`,
  hostname: id,
  addresses: ['100.64.0.1'],
  tags: ['tag:k8s'],
  machineKey: undefined,
  isConnected: false,
  ...more,
})
const known = { tags: ['tag:k8s', 'tag:db'], ids: new Set(['known']) }

test('lost are devices with a tag of proxies that are not connected and that nobody knows', () => {
  const devices = [
    device('lost'),
    device('lost-db', { tags: ['tag:other', 'tag:db'] }),
    device('known'),
    device('connected', { isConnected: true }),
    device('not-said', { isConnected: undefined }),
    device('other', { tags: ['tag:server'] }),
    device('person', { tags: [] }),
  ]
  expect(lostAmong(devices, known).map(({ id }) => id)).toEqual(['lost', 'lost-db'])
})

test('each that is lost is told, with how to remove it, and that none is', () => {
  expect(judgeLost([device('n1')], known).map(lineOf)).toEqual([
    'warning lost: n1 (n1.lab.ts.net, 100.64.0.1) is not connected, and no Secret here names it. If no other cluster has it: --remove=n1',
  ])
  expect(judgeLost([], known).map(lineOf)).toEqual([
    'ok devices: each device with tag:k8s or tag:db is known here, or connected',
  ])
})

test('only what is lost is removed', async () => {
  const removed: string[] = []
  const findings = await removeLost(['n1', 'n7'], [device('n1'), device('n2')], async (id) => void removed.push(id))
  expect(removed).toEqual(['n1'])
  expect(findings.map(lineOf)).toEqual([
    'ok removed: n1 (n1.lab.ts.net)',
    'error stays: n7 is none of those that are lost. devices without --remove says which are.',
  ])
})
