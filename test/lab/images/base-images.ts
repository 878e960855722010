import { rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative } from 'node:path'
import { cacheRoot } from '../paths.ts'
import { builtPrograms } from '../ready.ts'
import { buildah, imagesRoot } from './buildah.ts'

/** The names of the base images, which the Dockerfile gets as build arguments. */
export type Bases = { readonly debian: string; readonly node: string; readonly tailscale: string }

/** A base image, and the Dockerfile that makes it from parts of the cache. `arch` if it is not this machine's. */
type Base = { readonly name: string; readonly file: string; readonly arch?: string }

/** Makes the base images that are missing from the built parts. Called with the lock of images held. */
export async function baseImages(note: (detail: string) => void): Promise<Bases> {
  const parts = await builtPrograms('image')
  const [debian, node] = [nameOf(parts.debian), nameOf(parts.node)]
  const programs = ['tailscale', 'tailscaled', 'containerboot'] as const
  const tailscale = tailscaleBase(programs.map((name) => [name, join(parts[name], name)]))
  await makeMissing(
    [
      { name: debian, file: `FROM scratch\nADD ${basename(parts.debian)}/rootfs.tar /\nCMD ["bash"]\n` },
      { name: node, file: `FROM ${debian}\nCOPY ${basename(parts.node)}/ /\n` },
      tailscale,
    ],
    note,
  )
  return { debian, node, tailscale: tailscale.name }
}

/** Upstream's image as far as Dockerfiles use it: programs, each with the part that contains it. */
export function tailscaleBase(programs: readonly (readonly [name: string, file: string])[]): Base {
  const copies = programs.map(([name, file]) => `COPY ${relative(partsRoot(), file)} /usr/local/bin/${name}\n`)
  return { name: nameOf(dirname(programs[0]![1])), file: `FROM scratch\n${copies.join('')}` }
}

export async function makeMissing(bases: readonly Base[], note: (detail: string) => void): Promise<void> {
  const there = (await buildah(['images', '--format', '{{.Name}}:{{.Tag}}'])).split('\n')
  const dockerfile = join(imagesRoot(), 'base.Dockerfile')
  for (const { name, file, arch } of bases.filter((base) => !there.includes(base.name))) {
    note(`make ${name}`)
    await writeFile(dockerfile, file)
    const what = [`--tag=${name}`, `--file=${dockerfile}`, ...(arch === undefined ? [] : [`--arch=${arch}`])]
    await buildah(['bud', '--pull-never', ...what, partsRoot()])
    await rm(dockerfile)
  }
}

/** The directory that base images copy from. */
const partsRoot = (): string => join(cacheRoot(), 'parts')

/** A part's directory is named by its name and the hash of its inputs, and so is the base image. */
function nameOf(part: string): string {
  const [, name, key] = /^(.*)-([^-]*)$/.exec(basename(part))!
  return `culvert.test/${name}:${key}`
}
