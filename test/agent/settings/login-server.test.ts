import { expect, it } from 'vitest'
import { readSettings } from '../../../agent/settings/read.ts'

const warnings = (TS_EXTRA_ARGS: string) => readSettings({ TS_EXTRA_ARGS }).warnings

it.each(['control.example.net', 'control.example.net:8080', '"https://control.example.net"', 'https://'])(
  'warns of a control server that is not a URL: %j',
  (server) => {
    for (const between of ['=', ' ']) {
      expect(warnings(`--login-server=https://a.test --ssh --login-server${between}${server}`)).toEqual([
        'TS_EXTRA_ARGS: --login-server is not a URL such as https://control.example.net',
      ])
    }
  },
)

it.each([
  '--login-server=http://10.0.0.1:8080/path',
  '--ssh',
  '--login-server=',
  '--login-server https://a.test',
  '--login-server=$(URL)',
])('no warning for %s', (args) => {
  expect(warnings(args)).toEqual([])
})
