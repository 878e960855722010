import { expect, test } from 'vitest'
import { secretRequests } from '../../bench/api-requests.ts'

/** A line as the API server writes it, with the labels that distinguish the counters. */
const line = (metric: string, resource: string, verb: string, value: number, subresource = ''): string =>
  `${metric}{code="200",component="apiserver",group="",resource="${resource}",scope="resource",subresource="${subresource}",verb="${verb}",version="v1"} ${value}`

const text = [
  '# HELP apiserver_request_total [STABLE] Counter of apiserver requests broken out for each verb.',
  '# TYPE apiserver_request_total counter',
  line('apiserver_request_total', 'secrets', 'GET', 3),
  line('apiserver_request_total', 'secrets', 'LIST', 5),
  line('apiserver_request_total', 'secrets', 'WATCH', 7),
  line('apiserver_request_total', 'secrets', 'PATCH', 11),
  line('apiserver_request_total', 'secrets', 'PUT', 13),
  line('apiserver_request_total', 'secrets', 'APPLY', 17),
  line('apiserver_request_total', 'leases', 'PUT', 1000),
  line('apiserver_request_total', 'pods', 'PATCH', 1000, 'secrets'),
  line('apiserver_request_duration_seconds_count', 'secrets', 'PUT', 1000),
  line('apiserver_longrunning_requests', 'secrets', 'WATCH', 2),
  line('apiserver_longrunning_requests', 'pods', 'WATCH', 1000),
  'apiserver_storage_objects_total 1e+06',
].join('\n')

test('counts requests about Secrets only, and writes apart from reads', () => {
  expect(secretRequests(text)).toEqual({ all: 56, writes: 41, watches: 2 })
})

test('a server without requests counts zero', () => {
  expect(secretRequests('# no metrics\n')).toEqual({ all: 0, writes: 0, watches: 0 })
})
