import { existsSync } from 'node:fs'
import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import packageJson from '../../../package.json' with { type: 'json' }
import { tailscaleVersion } from '../../../wire/capability-version.ts'
import { projectRoot } from '../paths.ts'
import type { Bases } from './base-images.ts'
import { buildah, imagesRoot } from './buildah.ts'
import { buildImageOf, withImages, type Note } from './builder.ts'

/** A built image. */
export type Image = {
  readonly reference: string
  /** A file for `ctr images import` and `docker load`. */
  readonly archive: string
  /** The digest of its configuration, by which container engines identify it: other content has another digest. */
  readonly digest: string
  /** The size of the archive: of all layers, uncompressed. */
  readonly bytes: number
}

export const agentReference = `culvert.test/agent:${packageJson.version}`
export const operatorReference = `culvert.test/operator:${packageJson.version}`
export const apiServerReference = `culvert.test/apiserver:${packageJson.version}`
export const recorderReference = `culvert.test/recorder:${packageJson.version}`
export const upstreamReference = `culvert.test/upstream:${tailscaleVersion}`

/**
 * Builds the agent's image from the project's Dockerfile; takes seconds when only the agent's sources have changed. The
 * parts must have been built (`npm run lab -- build`). @throws CulvertError `command` with the end of the build.
 */
export async function buildImage(note: Note = () => undefined): Promise<Image> {
  return await archived(agentReference, note, ownArguments)
}

/** Builds the operator's image from the same Dockerfile, otherwise as `buildImage` does. */
export async function buildOperatorImage(note: Note = () => undefined): Promise<Image> {
  return await archived(operatorReference, note, (bases) => ['--target=operator', ...ownArguments(bases)])
}

/** Builds the API server proxy's image from the same Dockerfile, otherwise as `buildImage` does. */
export async function buildApiServerImage(note: Note = () => undefined): Promise<Image> {
  return await archived(apiServerReference, note, (bases) => ['--target=apiserver', ...ownArguments(bases)])
}

/** Builds the recorder's image from the same Dockerfile, otherwise as `buildImage` does. */
export async function buildRecorderImage(note: Note = () => undefined): Promise<Image> {
  return await archived(recorderReference, note, (bases) => ['--target=recorder', ...ownArguments(bases)])
}

const ownArguments = (bases: Bases): string[] => [
  ...agentArguments(bases),
  `--build-arg=VERSION=${packageJson.version}`,
  projectRoot,
]

/** Builds the image for measuring upstream's agent: upstream's content on the Debian of ours. */
export async function buildUpstreamImage(note: Note = () => undefined): Promise<Image> {
  const file = join(import.meta.dirname, 'upstream.Dockerfile')
  return await archived(upstreamReference, note, (bases) => [
    `--build-arg=BASE_IMAGE=${bases.debian}`,
    `--build-arg=TAILSCALE_IMAGE=${bases.tailscale}`,
    `--file=${file}`,
    import.meta.dirname,
  ])
}

/** This machine's architecture, in Docker's naming. */
export const ownArch = process.arch === 'x64' ? 'amd64' : process.arch

/** The base images as build arguments of the Dockerfile, and a predefined one that buildah 1.28 does not set. */
export function agentArguments({ debian, node, tailscale }: Bases): string[] {
  const names = { BASE_IMAGE: debian, NODE_IMAGE: node, TAILSCALE_IMAGE: tailscale, BUILDPLATFORM: `linux/${ownArch}` }
  return Object.entries(names).map(([name, value]) => `--build-arg=${name}=${value}`)
}

/** Builds an image and writes it as an archive to the cache, unless it is there. */
async function archived(reference: string, note: Note, args: (bases: Bases) => readonly string[]): Promise<Image> {
  const name = reference.replace(/.*\//, '').replace(':', '-')
  const known = await knownImage(name)
  if (known !== undefined) return known
  return await withImages(note, async (bases) => {
    const meanwhile = await knownImage(name)
    if (meanwhile !== undefined) return meanwhile
    const digest = await buildImageOf([`--tag=${reference}`, ...args(bases)], note)
    const archive = join(imagesRoot(), `${name}-${digest.slice(7, 19)}.tar`)
    if (!existsSync(archive)) {
      note(`write ${archive}`)
      await buildah(['push', '--quiet', digest.slice(7), `docker-archive:${archive}.new:${reference}`])
      await rename(`${archive}.new`, archive)
      await discardOld(`${name}-`, archive)
    }
    const image = { reference, archive, digest, bytes: (await stat(archive)).size }
    const file = fileOfKnown(name)
    if (file !== undefined) await writeFile(file, JSON.stringify(image))
    return image
  })
}

/** The file that describes an image which was built in this run of all tests; undefined outside of one. */
function fileOfKnown(name: string): string | undefined {
  const folder = process.env['CULVERT_TEST_IMAGES']
  return folder ? join(folder, `${name}.json`) : undefined
}

/** An image that need not be built again: while all tests run, the sources stay the same. */
async function knownImage(name: string): Promise<Image | undefined> {
  const file = fileOfKnown(name)
  if (file === undefined || !existsSync(file)) return undefined
  const image = JSON.parse(await readFile(file, 'utf8')) as Image
  return existsSync(image.archive) ? image : undefined
}

/** Removes earlier archives, except those that may still be in use. */
async function discardOld(prefix: string, current: string): Promise<void> {
  const root = imagesRoot()
  const others = (await readdir(root)).filter((name) => name.startsWith(prefix)).map((name) => join(root, name))
  for (const file of others) {
    const age = Date.now() - (await stat(file)).mtimeMs
    if (file !== current && age > 3_600_000) await rm(file, { force: true })
  }
}
