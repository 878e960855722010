import { expect, it } from 'vitest'
import { testBed } from '../lab/vitest.ts'
import { Proxy } from './proxy.ts'

/** Changes the node's hostname this many times, faster than any command could. */
const changes = `
const { request } = require('node:http')
const change = (left) => {
  if (left === 0) return
  const options = { socketPath: process.argv[1], method: 'PATCH', path: '/localapi/v0/prefs', agent: false }
  const body = JSON.stringify({ Hostname: 'proxy-' + left, HostnameSet: true })
  request({ ...options, headers: { Host: 'local-tailscaled.sock' } }, (answer) => answer.resume().on('end', () => change(left - 1))).end(body)
}
change(Number(process.argv[2]))`

it('a bus that was not read for too long is reopened, and no change is missed', async () => {
  await using bed = await testBed({ hosts: { proxy: { network: 'cluster' } } })
  await using proxy = await Proxy.ready(bed, { TS_USERSPACE: 'true', TS_AUTHKEY: await bed.authKey() })
  const before = await proxy.status()
  proxy.process.kill('SIGSTOP')
  // tailscaled queues 128 messages for a watcher, and the connection buffers some hundred.
  await proxy.host.exec([process.execPath, '-e', changes, '/tmp/tailscaled.sock', '1000'])
  proxy.process.kill('SIGCONT')
  await proxy.process.line(/^boot: .* tailscaled: IPN bus consumer fell behind/)
  const after = await proxy.until(({ ready, node }) => ready && node.name === 'proxy-1.lab.ts.net.')
  expect(after.node.addresses).toEqual(before.node.addresses)
  expect(after.tailscaled.restarts).toBe(0)
})
