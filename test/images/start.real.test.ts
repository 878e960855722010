import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tailscaleVersion } from '../../wire/capability-version.ts'
import type { ImageConfig } from '../lab/images/archive.ts'
import { buildah } from '../lab/images/buildah.ts'
import { buildImageOf, withImages } from '../lab/images/builder.ts'
import { buildImage } from '../lab/images/image.ts'
import { coldBuild, leftToNode, tellsArguments, Unpacked } from './unpacked.ts'

const entrypoint = '/usr/local/lib/culvert/entrypoint'

let image: string
let files: Unpacked
beforeAll(async () => {
  image = (await buildImage()).digest
  files = await Unpacked.of(image)
  await files.replaceAgent(tellsArguments)
}, coldBuild)
afterAll(() => files[Symbol.asyncDispose]())

test.each([
  [[]],
  [['--dest-ip=10.0.0.1', '--serve-config=/etc/a b.json']],
  [['run', '--dest-ip=10.0.0.1']],
  [['version']],
  [['--version']],
  [['help']],
  [['status', '--json']],
  [['check-image']],
  [['no-such-program']],
  [['']],
])('the agent gets %j', async (args) => {
  expect(await files.run([entrypoint, ...args])).toEqual(leftToNode(...args))
})

test.each([
  ['the agent by its names', ['containerboot'], /^Node: \[\]/],
  ['the agent by its path, with flags', ['/usr/local/bin/containerboot', '--x=1'], /^Node: \["--x=1"\]/],
  ['one of its commands', ['culvert', 'version'], /^Node: \["version"\]/],
  ['tailscale', ['tailscale', 'version'], new RegExp(`^${tailscaleVersion}`)],
  ['tailscaled, with flags', ['tailscaled', '--version'], new RegExp(`^${tailscaleVersion}`)],
  ['a script', ['sh', '-c', 'echo "$$ $1"', 'sh', '--a  b'], /^1 --a {2}b$/],
  ['ash', ['ash', '-c', 'echo $$'], /^1$/],
  ['a program that the shell has, too', ['echo', '-n'], /^$/],
  ['a path', ['/bin/echo', 'there'], /^there$/],
  ['a path from where the container is', ['./bin/echo', 'there'], /^there$/],
])('%s runs in place of the agent', async (_what, args, output) => {
  expect((await files.run([entrypoint, ...args])).stdout).toMatch(output)
})

test('a path at which nothing is, is named', async () => {
  expect(await files.run([entrypoint, '/start.sh', '--flag'])).toMatchObject({
    stderr: expect.stringContaining('/start.sh: not found'),
    exitCode: 127,
  })
})

test('an image built on it: its CMD runs, and packages bring the programs that busybox stood in for', async () => {
  const work = await mkdtemp(join(tmpdir(), 'culvert-derived-'))
  const lines = [
    `FROM ${image.replace('sha256:', '')}`,
    'RUN apt-get update && apt-get install --yes --no-install-recommends iputils-ping wget',
    `RUN printf '#!/bin/ash\\nwget --version; ping -V; exec containerboot --from=script\\n' > /start.sh && chmod +x /start.sh`,
    'CMD ["/start.sh"]',
  ]
  await writeFile(join(work, 'Dockerfile'), lines.join('\n'))
  const { config, derived } = await withImages(
    () => undefined,
    async () => {
      const id = await buildImageOf(['--tag=culvert.test/derived:1', work])
      const { Docker } = JSON.parse(await buildah(['inspect', '--type=image', id.slice(7)])) as { Docker: ImageConfig }
      return { derived: id, config: Docker.config }
    },
  )
  await rm(work, { recursive: true })
  await using its = await Unpacked.of(derived)
  await its.replaceAgent(tellsArguments)
  const { stdout } = await its.run([...(config.Entrypoint ?? []), ...(config.Cmd ?? [])])
  expect(stdout).toMatch(/^GNU Wget/)
  expect(stdout).toMatch(/^ping from iputils/m)
  expect(stdout).toMatch(/^Node: \["--from=script"\]$/m)
})
