import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { withLock } from '../parts/lock.ts'
import { baseImages, type Bases } from './base-images.ts'
import { buildah, imagesRoot } from './buildah.ts'
import { machineVolumes } from './machine.ts'

/** Is told how far a build is. */
export type Note = (detail: string) => void

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
  const remains = (await readdir(imagesRoot())).filter((name) => /^(run|build)-|\.new$/.test(name))
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
    // By Docker's format: the other one has no place for a HEALTHCHECK.
    const how = [
      '--format=docker',
      '--isolation=chroot',
      '--layers',
      '--force-rm',
      '--pull-never',
      `--iidfile=${idFile}`,
      ...volumes,
    ]
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
