import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readArchive } from '../lab/images/archive.ts'
import { buildImage, buildOperatorImage, buildRecorderImage } from '../lab/images/image.ts'
import { Unpacked } from './unpacked.ts'

test.each([
  {
    name: 'operator',
    title: 'Culvert operator',
    build: buildOperatorImage,
    says: 'there are no credentials for Tailscale’s API',
    exitCode: 1,
    ownLayers: 2,
  },
  {
    name: 'recorder',
    title: 'Culvert recorder',
    build: buildRecorderImage,
    says: 'must say where recordings are kept',
    exitCode: 1,
    // With the folder of its web page.
    ownLayers: 3,
  },
])(
  'the $name’s image has Node and its program, and shares with the agent’s all that both need',
  async ({ name, title, build, says, exitCode, ownLayers }) => {
    const agent = await readArchive((await buildImage()).archive)
    const image = await build()
    const { config, layers } = await readArchive(image.archive)
    const program = `/usr/local/lib/culvert/${name}.js`
    expect(config.config).toMatchObject({
      User: '65532:65532',
      Entrypoint: ['/usr/local/bin/node', program],
      Labels: { 'org.opencontainers.image.title': title },
    })
    const shared = layers.filter((layer) => agent.layers.includes(layer))
    expect(layers.slice(0, shared.length)).toEqual(shared)

    await using files = await Unpacked.of(image.digest)
    const ran = await files.run(['/usr/local/bin/node', program])
    expect(ran.stderr).toContain(says)
    expect(ran.exitCode).toBe(exitCode)
    const folder = join(files.root, 'usr/local/lib/culvert')
    const notices = `${name.toUpperCase()}-NOTICES`
    const own = await Promise.all([`${name}.js`, notices].map((file) => stat(join(folder, file))))
    // What is not shared is little more than the program itself.
    expect(layers.length - shared.length).toBeLessThanOrEqual(ownLayers)
    expect(own.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(2_000_000)
    const programs = [
      'usr/local/bin/tailscaled',
      'usr/sbin/nft',
      'usr/sbin/iptables',
      'usr/bin/busybox',
      'usr/bin/tini',
    ]
    expect(programs.filter((path) => existsSync(join(files.root, path)))).toEqual([])
  },
)
