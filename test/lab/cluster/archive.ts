import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../run.ts'

export type ImageOptions = {
  /** The name of the image once it is imported, with its tag. */
  readonly reference: string
  /** The directory that becomes the image's root. */
  readonly root: string
  readonly entrypoint: readonly string[]
  /** The path of the archive. */
  readonly file: string
}

/** Names of architectures in images. */
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' }

/** Builds an image of one layer, without a container engine, as `docker save` would write it. */
export async function makeImage({ reference, root, entrypoint, file }: ImageOptions): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'culvert-image-'))
  try {
    await pack(root, join(work, 'layer.tar'))
    const layer = digest(await readFile(join(work, 'layer.tar')))
    const config = JSON.stringify({
      architecture: architectures[process.arch] ?? process.arch,
      os: 'linux',
      config: { Entrypoint: entrypoint, Env: ['PATH=/bin'] },
      rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
    })
    const parts = { Config: `${digest(config)}.json`, RepoTags: [reference], Layers: [`${layer}/layer.tar`] }
    const content = join(work, 'content')
    await mkdir(join(content, layer), { recursive: true })
    await rename(join(work, 'layer.tar'), join(content, parts.Layers[0]!))
    await writeFile(join(content, parts.Config), config)
    await writeFile(join(content, 'manifest.json'), JSON.stringify([parts]))
    await pack(content, file)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** The same files always give the same archive. */
async function pack(directory: string, file: string): Promise<void> {
  const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner']
  await run(['tar', '--create', ...same, '--file', file, '--directory', directory, '.'])
}

function digest(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex')
}
