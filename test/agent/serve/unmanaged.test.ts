import { expect, it } from 'vitest'
import { lookAtUnmanaged } from '../../../agent/serve/unmanaged.ts'
import type { Environment } from '../../../agent/settings/read.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'

const relay = { TCPForward: '127.0.0.2:40001' }
const backend = { TCPForward: '10.0.0.9:80', ProxyProtocol: 1 }
const six = { TCPForward: '[fd00::9]:80' }
const byHand = { TCPForward: 'localhost:7100' }
const tls = { ...backend, TerminateTLS: 'app.lab.ts.net' }
const kernel = { TS_USERSPACE: 'false', TS_DEST_IP: '10.0.0.9,fd00::9' }

it.each<[string, Environment, object, object | undefined]>([
  ['nothing', kernel, {}, undefined],
  ['what was set by hand', kernel, { 80: byHand, 81: { HTTP: true }, 82: tls }, undefined],
  [
    'all ports, which have rules',
    kernel,
    { 79: six, 80: backend, 81: relay, 82: byHand },
    { TCP: { 79: six, 82: byHand } },
  ],
  ['IPv6', kernel, { 80: six }, {}],
  [
    'only ports that have rules, and those of the relay',
    { ...kernel, CULVERT_DEST_PORTS: 'tcp/80' },
    { 80: backend, 81: backend, 82: relay },
    { TCP: { 81: backend } },
  ],
  ['ports of the relay without L3 ingress', {}, { 80: backend, 81: relay }, { TCP: { 80: backend } }],
  ['the last port', kernel, { 80: relay }, {}],
])('forwards of an earlier run end: %s', async (_what, env, TCP, left) => {
  const written: object[] = []
  const { context, lines } = aContext(aWorld({}, env), {
    api: {
      getTagged: async () => ({ text: JSON.stringify({ TCP }), etag: 'now' }),
      replace: async (_path, value, etag) => void (etag === 'now' && written.push(value)),
    },
  })
  await lookAtUnmanaged(context)
  expect(written).toEqual(left === undefined ? [] : [left])
  const served = Object.keys((left as typeof left & { TCP?: object })?.TCP ?? (left === undefined ? TCP : {}))
  expect(lines.filter((line) => line.startsWith('tailscaled serves')).length).toBe(served.length > 0 ? 1 : 0)
})
