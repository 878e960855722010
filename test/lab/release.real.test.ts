import { expect, test } from 'vitest'
import { release } from './release.ts'
import { testBed } from './vitest.ts'

test('the hosts have the chosen release of tailscaled', async () => {
  await using bed = await testBed({ hosts: { node: { network: 'wan', tailscaled: true } } })
  const { stdout } = await bed.host('node').exec(['tailscale', 'version', '--daemon'])
  const versions = [...stdout.matchAll(/(?:Client|Daemon): (\S+)/g)].map((match) => match[1])
  expect(versions).toEqual(Array(2).fill(expect.stringMatching(new RegExp(`^${RegExp.escape(release)}(\\.|$|-)`))))
})
