import { expect, test } from 'vitest'
import { ask, startBed, startEcho } from './bed.ts'
import { testBed } from './vitest.ts'

const node = { network: 'wan', tailscaled: true } as const

test('two beds have one tailnet, whose nodes meet by its relay, and the first stays when the other goes', async () => {
  await using one = await testBed({ hosts: { near: node } })
  {
    await using other = await startBed({ tailnet: one, hosts: { far: node } })
    expect((await other.control.nodes()).map(({ name }) => name).toSorted()).toEqual(['far', 'near'])
    const [to = ''] = (await one.control.node('far')).addresses
    await startEcho(other.host('far'), { ports: [5432] })
    const once = () => ask(one.host('near'), { to, port: 5432, protocol: 'tcp', patience: 5000 }).catch(String)
    await expect.poll(once).toMatchObject({ host: 'far' })
  }
  expect((await one.control.nodes()).map(({ name }) => name).toSorted()).toEqual(['far', 'near'])
})
