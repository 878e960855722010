import { afterEach, describe, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { ask, startEcho } from '../lab/traffic/traffic.ts'
import { Proxy } from './proxy.ts'

// A target of a family that the node lacks is reported and the others work, unless it is the only one.
let bed: Bed
afterEach(async () => bed.down())

const client = { network: 'wan', tailscaled: true } as const
const backend = { network: 'cluster' } as const

describe('the kernel does not forward IPv6', () => {
  it('the other target works, this one is reported', async () => {
    bed = await startBed({ hosts: { client, proxy: { network: 'cluster', ipv6: false }, backend } })
    await startEcho(bed.host('backend'))
    await using proxy = await Proxy.ready(bed, { TS_DEST_IP: '10.98.0.11,fd98::11', TS_AUTHKEY: await bed.authKey() })
    expect(await ask(bed.host('client'), { to: (await proxy.own()).v4, protocol: 'tcp' })).toMatchObject({
      host: 'backend',
    })
    const { targets } = await proxy.until(({ ready }) => ready)
    expect(targets).toMatchObject([
      { address: '10.98.0.11', forwarded: true },
      { address: 'fd98::11', forwarded: false, problem: expect.stringMatching(/kernel does not forward IPv6/) },
    ])
    await proxy.process.line(/warning: fd98::11 gets no traffic: the kernel does not forward IPv6/)
  })

  it('an only target ends the agent with 1 after its first pass', async () => {
    bed = await startBed({ hosts: { proxy: { network: 'cluster', ipv6: false } } })
    const proxy = await Proxy.start(bed, { TS_DEST_IP: 'fd98::11', TS_AUTHKEY: await bed.authKey() })
    expect(await proxy.ended()).toMatchObject({
      code: 1,
      reason: expect.stringMatching(/no forwarding rules for TS_DEST_IP: fd98::11: the kernel does not forward IPv6/),
    })
  })
})

describe('the tailnet gives the node no IPv6 address', () => {
  it('the other target works, this one is reported', async () => {
    bed = await startBed({ hosts: { client, proxy: { network: 'cluster' }, backend } })
    await bed.control.putSettings({ families: 'v4' })
    await startEcho(bed.host('backend'))
    await using proxy = await Proxy.ready(bed, { TS_DEST_IP: '10.98.0.11,fd98::11', TS_AUTHKEY: await bed.authKey() })
    expect(await ask(bed.host('client'), { to: (await proxy.own()).v4, protocol: 'udp' })).toMatchObject({
      host: 'backend',
    })
    expect((await proxy.status()).targets).toMatchObject([
      { forwarded: true },
      { forwarded: false, problem: expect.stringMatching(/node has no IPv6 address/) },
    ])
  })

  it('an only target ends the agent with 1 after its first pass', async () => {
    bed = await startBed({ hosts: { proxy: { network: 'cluster' } } })
    await bed.control.putSettings({ families: 'v4' })
    const proxy = await Proxy.start(bed, { TS_DEST_IP: 'fd98::11', TS_AUTHKEY: await bed.authKey() })
    expect(await proxy.ended()).toMatchObject({
      code: 1,
      reason: expect.stringMatching(/fd98::11: the node has no IPv6 address/),
    })
  })
})

it('the tailnet gives the node no IPv4 address', async () => {
  bed = await startBed({ hosts: { client, proxy: { network: 'cluster' }, backend } })
  await bed.control.putSettings({ families: 'v6' })
  await startEcho(bed.host('backend'))
  await using proxy = await Proxy.ready(bed, { TS_DEST_IP: '10.98.0.11,fd98::11', TS_AUTHKEY: await bed.authKey() })
  expect(await ask(bed.host('client'), { to: (await proxy.own()).v6, protocol: 'tcp' })).toMatchObject({
    host: 'backend',
  })
  expect((await proxy.status()).targets).toMatchObject([
    { forwarded: false, problem: expect.stringMatching(/node has no IPv4 address/) },
    { forwarded: true },
  ])
})
