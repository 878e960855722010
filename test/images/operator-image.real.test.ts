import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readArchive } from '../lab/images/archive.ts'
import { buildImage, buildOperatorImage } from '../lab/images/image.ts'
import { Unpacked } from './unpacked.ts'

test('the operator’s image has Node and the operator, and shares with the agent’s all that both need', async () => {
  const agent = await readArchive((await buildImage()).archive)
  const image = await buildOperatorImage()
  const { config, layers } = await readArchive(image.archive)
  expect(config.config).toMatchObject({
    User: '65532:65532',
    Entrypoint: ['/usr/local/bin/node', '/usr/local/lib/culvert/operator.js'],
    Labels: { 'org.opencontainers.image.title': 'Culvert operator' },
  })
  const shared = layers.filter((layer) => agent.layers.includes(layer))
  expect(layers.slice(0, shared.length)).toEqual(shared)

  await using files = await Unpacked.of(image.reference)
  const ran = await files.run(['/usr/local/bin/node', '/usr/local/lib/culvert/operator.js'])
  expect(ran.stderr).toContain('there are no credentials for Tailscale’s API')
  expect(ran.exitCode).toBe(1)
  const folder = join(files.root, 'usr/local/lib/culvert')
  const own = await Promise.all(['operator.js', 'OPERATOR-NOTICES'].map((name) => stat(join(folder, name))))
  // What is not shared is little more than the operator itself.
  expect(layers.length - shared.length).toBeLessThanOrEqual(2)
  expect(own.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(2_000_000)
  const programs = ['usr/local/bin/tailscaled', 'usr/sbin/nft', 'usr/sbin/iptables', 'usr/bin/busybox', 'usr/bin/tini']
  expect(programs.filter((path) => existsSync(join(files.root, path)))).toEqual([])
})
