import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import packageJson from '../../../package.json' with { type: 'json' }
import { tailscaleVersion } from '../../../agent/capability-version.ts'
import { withLock } from '../parts/lock.ts'
import { projectRoot } from '../paths.ts'
import { baseImages, type Bases } from './base-images.ts'
import { buildah, imagesRoot } from './buildah.ts'
import { machineVolumes } from './machine.ts'

/** A built image. */
export type Image = {
  readonly reference: string
  /** A file that `ctr images import` and `docker load` read. */
  readonly archive: string
  /** Of its configuration, by which engines know it: another content is another digest. */
  readonly digest: string
  /** The size of the archive: of all layers, uncompressed. */
  readonly bytes: number
}

type Note = (detail: string) => void

export const agentReference = `culvert.test/agent:${packageJson.version}`
export const upstreamReference = `culvert.test/upstream:${tailscaleVersion}`

/**
 * Builds the agent's image from the project's Dockerfile; seconds when only the agent's sources have changed since.
 * The parts must have been built (`npm run lab -- build`). @throws CulvertError `command` with the end of the build.
 */
export async function buildImage(note: Note = () => undefined): Promise<Image> {
  return await archived(agentReference, note, (bases) => [
    ...agentArguments(bases),
    `--build-arg=VERSION=${packageJson.version}`,
    projectRoot,
  ])
}

/** Builds the image that upstream's agent is measured in: what upstream's consists of, on the Debian of ours. */
export async function buildUpstreamImage(note: Note = () => undefined): Promise<Image> {
  const file = join(import.meta.dirname, 'upstream.Dockerfile')
  return await archived(upstreamReference, note, (bases) => [
    `--build-arg=BASE_IMAGE=${bases.debian}`,
    `--build-arg=TAILSCALE_IMAGE=${bases.tailscale}`,
    `--file=${file}`,
    import.meta.dirname,
  ])
}

/** This machine's architecture, by Docker's name. */
export const ownArch = process.arch === 'x64' ? 'amd64' : process.arch

/** The base images, as the Dockerfile's build arguments, and a predefined one that buildah 1.28 does not know. */
export function agentArguments({ debian, node, tailscale }: Bases): string[] {
  const names = { BASE_IMAGE: debian, NODE_IMAGE: node, TAILSCALE_IMAGE: tailscale, BUILDPLATFORM: `linux/${ownArch}` }
  return Object.entries(names).map(([name, value]) => `--build-arg=${name}=${value}`)
}

/** Builds an image and leaves it as an archive in the cache, unless that is there. */
async function archived(reference: string, note: Note, args: (bases: Bases) => readonly string[]): Promise<Image> {
  return await withImages(note, async (bases) => {
    const digest = await buildImageOf([`--tag=${reference}`, ...args(bases)], note)
    const name = reference.replace(/.*\//, '').replace(':', '-')
    const archive = join(imagesRoot(), `${name}-${digest.slice(7, 19)}.tar`)
    if (!existsSync(archive)) {
      note(`write ${archive}`)
      await buildah(['push', '--quiet', digest.slice(7), `docker-archive:${archive}.new:${reference}`])
      await rename(`${archive}.new`, archive)
      await discardOld(`${name}-`, archive)
    }
    return { reference, archive, digest, bytes: (await stat(archive)).size }
  })
}

/** Runs `work` with the base images, while no other process builds images. */
export async function withImages<T>(note: Note, work: (bases: Bases) => Promise<T>): Promise<T> {
  await mkdir(imagesRoot(), { recursive: true })
  const waiting = (holder: string): void => note(`waiting for ${holder}, which builds images`)
  const locked = async (): Promise<T> => {
    await discardRemains()
    return await work(await baseImages(note))
  }
  return await withLock(join(imagesRoot(), 'lock'), locked, waiting)
}

/** What an interrupted build left. Called with the lock held: nobody is building. */
async function discardRemains(): Promise<void> {
  const remains = (await readdir(imagesRoot())).filter((name) => /^(run|build)-/.test(name))
  await Promise.all(remains.map((name) => rm(join(imagesRoot(), name), { recursive: true })))
  if (remains.length > 0) await buildah(['rm', '--all'])
}

/**
 * `buildah bud`, with this machine's ways to fetch packages and none of them in the result. Gives the image's digest,
 * `sha256:…`. @throws CulvertError `command` with the end of the build.
 */
export async function buildImageOf(args: readonly string[], note: Note = () => undefined): Promise<string> {
  const work = await mkdtemp(join(imagesRoot(), 'build-'))
  try {
    const idFile = join(work, 'id')
    const volumes = await machineVolumes(work)
    const how = ['--isolation=chroot', '--layers', '--force-rm', '--pull-never', `--iidfile=${idFile}`, ...volumes]
    await buildah(['bud', ...how, ...args], note)
    return (await readFile(idFile, 'utf8')).trim()
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** Writes the files of an image, by its name or digest, to a directory. Called with the lock of images held. */
export async function unpack(image: string, into: string): Promise<void> {
  const work = await mkdtemp(join(imagesRoot(), 'build-'))
  try {
    await mkdir(into, { recursive: true })
    // In a file of its own: a build whose last step is in the cache already writes nothing.
    await writeFile(join(work, 'Dockerfile'), `FROM ${image.replace('sha256:', '')}\n`)
    await buildah(['bud', '--layers', '--force-rm', '--pull-never', `--output=type=local,dest=${into}`, work])
  } finally {
    await rm(work, { recursive: true })
  }
}

/** Removes earlier archives, but for those that somebody may still be reading. */
async function discardOld(prefix: string, current: string): Promise<void> {
  const root = imagesRoot()
  const others = (await readdir(root)).filter((name) => name.startsWith(prefix)).map((name) => join(root, name))
  for (const file of others) {
    const age = Date.now() - (await stat(file)).mtimeMs
    if (file !== current && age > 3_600_000) await rm(file, { force: true })
  }
}
