import { expect, it } from 'vitest'
import { mountedMetrics, mountedRejections, problemsOf } from '../../../agent/mounted/views.ts'
import type { World } from '../../../agent/world/world.ts'
import { renderMetrics } from '../../../lib/metrics.ts'
import { aWorld } from '../a-world.ts'

const rejections = [
  { entry: 'a', field: 'healthCheckEndpoint', reason: '7 is not a URL' },
  { entry: 'a', field: 'ports[0]', reason: '8 is not an object' },
  { entry: 'b', field: '', reason: '9 is not an object' },
]
const egressServices = { content: { services: new Map(), rejections } }
const healthPings = { content: undefined, rejected: '/e/hep-pings: "x" is no number' }

it.each<[string, Partial<World>, object[]]>([
  ['nothing without mounted files', {}, []],
  ['nothing while all is good', { mounted: { healthPings: { content: 3 } } }, []],
  [
    'entries',
    { mounted: { egressServices } },
    rejections.map((rejection) => ({ file: 'egress-services', ...rejection })),
  ],
  [
    'files that are bad as a whole',
    {
      mounted: {
        healthPings,
        ingressServices: { content: { services: new Map(), rejections: [] }, rejected: 'x' },
      },
    },
    [
      { file: 'hep-pings', entry: '', field: '', reason: '/e/hep-pings: "x" is no number' },
      { file: 'ingress-config.json', entry: '', field: '', reason: 'x' },
    ],
  ],
])('the status has %s', (_what, change, expected) => {
  expect(mountedRejections(aWorld(change))).toEqual(expected)
})

it('the log names entry, field and reason', () => {
  expect(problemsOf('f', { ...egressServices, rejected: '/e/f: it is empty' })).toEqual([
    '/e/f: it is empty; the last good one stays in use',
    'f: a, healthCheckEndpoint: 7 is not a URL',
    'f: a, ports[0]: 8 is not an object',
    'f: b: 9 is not an object',
  ])
  expect(problemsOf('hep-pings', healthPings)).toEqual(['/e/hep-pings: "x" is no number'])
})

it('the metrics count and name entries of mounted files', () => {
  expect(renderMetrics(mountedMetrics(aWorld()))).toBe('')
  const lines = renderMetrics(mountedMetrics(aWorld({ mounted: { egressServices, healthPings } }))).split('\n')
  expect(lines.filter((line) => line.startsWith('culvert_'))).toEqual([
    'culvert_config_rejected{file="egress-services"} 0',
    'culvert_config_rejected{file="hep-pings"} 1',
    'culvert_config_rejected_entries{file="egress-services"} 2',
    'culvert_config_rejected_entries{file="hep-pings"} 0',
    'culvert_config_rejected_entry_info{file="egress-services",entry="a",field="healthCheckEndpoint",reason="7 is not a URL"} 1',
    'culvert_config_rejected_entry_info{file="egress-services",entry="a",field="ports[0]",reason="8 is not an object"} 1',
    'culvert_config_rejected_entry_info{file="egress-services",entry="b",field="",reason="9 is not an object"} 1',
    'culvert_config_rejected_entry_info{file="hep-pings",entry="",field="",reason="/e/hep-pings: \\"x\\" is no number"} 1',
  ])
})
