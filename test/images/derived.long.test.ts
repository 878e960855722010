import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import type { ImageConfig } from '../lab/images/archive.ts'
import { buildah } from '../lab/images/buildah.ts'
import { buildImageOf, withImages } from '../lab/images/builder.ts'
import { agentArguments, buildImage } from '../lab/images/image.ts'
import { projectRoot } from '../lab/paths.ts'
import { coldBuild, printsArguments, Unpacked } from './unpacked.ts'

// Images that users build: on the agent's, and of it with another tailscaled.
const quiet = (): void => undefined
let image: string
beforeAll(async () => {
  image = (await buildImage()).digest
}, coldBuild)

test('an image built on it: its CMD runs, and installed packages replace busybox’s programs', async () => {
  const work = await mkdtemp(join(tmpdir(), 'culvert-derived-'))
  const lines = [
    `FROM ${image.replace('sha256:', '')}`,
    'RUN apt-get update && apt-get install --yes --no-install-recommends iputils-ping wget',
    `RUN printf '#!/bin/ash\\nwget --version; ping -V; exec containerboot --from=script\\n' > /start.sh && chmod +x /start.sh`,
    'CMD ["/start.sh"]',
  ]
  await writeFile(join(work, 'Dockerfile'), lines.join('\n'))
  const { config, derived } = await withImages(quiet, async () => {
    const id = await buildImageOf(['--tag=culvert.test/derived:1', work])
    const { Docker } = JSON.parse(await buildah(['inspect', '--type=image', id.slice(7)])) as { Docker: ImageConfig }
    return { derived: id, config: Docker.config }
  })
  await rm(work, { recursive: true })
  await using its = await Unpacked.of(derived)
  await its.replaceAgent(printsArguments)
  const { stdout } = await its.run([...(config.Entrypoint ?? []), ...(config.Cmd ?? [])])
  expect(stdout).toMatch(/^GNU Wget/)
  expect(stdout).toMatch(/^ping from iputils/m)
  expect(stdout).toMatch(/^Node: \["--from=script"\]$/m)
})

test('with another tailscaled, the build records its version, and fails if tailscale is not the same', async () => {
  const name = 'culvert.test/other:1'
  const folder = await mkdtemp(join(tmpdir(), 'culvert-other-'))
  await writeFile(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY tailscale tailscaled /usr/local/bin/\n')
  const saying = async (program: string, text: string): Promise<void> =>
    writeFile(join(folder, program), `#!/bin/sh\necho '${text}'\n`, { mode: 0o755 })
  const built = await withImages(quiet, async (bases) => {
    const build = async (): Promise<string> => {
      await buildImageOf([`--tag=${name}`, folder])
      return buildImageOf([...agentArguments({ ...bases, tailscale: name }), projectRoot])
    }
    await saying('tailscale', '{"majorMinorPatch":"1.104.2","cap":148}')
    await saying('tailscaled', '1.100.0')
    await expect(build()).rejects.toThrow(/tailscale is 1\.104\.2, but tailscaled is 1\.100\.0/)
    await saying('tailscaled', '1.104.2')
    return build()
  })
  await rm(folder, { recursive: true })
  await using other = await Unpacked.of(built)
  const record = join(other.root, 'usr/local/lib/culvert/tailscale-version.json')
  expect(JSON.parse(await readFile(record, 'utf8'))).toMatchObject({ cap: 148 })

  // An image built on it that replaces both.
  await using ours = await Unpacked.of(image)
  for (const program of ['tailscale', 'tailscaled'])
    await copyFile(join(ours.root, 'usr/local/bin', program), join(other.root, 'usr/local/bin', program))
  expect(await other.run(['culvert', 'check-image'])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/has capability version 142, but 148 is recorded in .*check-image --record/),
  })
  expect(await other.run(['culvert', 'check-image', '--record'])).toEqual({ exitCode: 0, stdout: '', stderr: '' })
  expect(await other.run(['culvert', 'check-image'])).toMatchObject({ exitCode: 0 })
})
