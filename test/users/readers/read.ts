import { basename, dirname, join } from 'node:path'
import { readCompose } from './compose.ts'
import type { Container, Reader } from './container.ts'
import { readDockerRun } from './docker-run.ts'
import { readDockerfile } from './dockerfile.ts'
import { readKustomization, readManifest } from './manifest.ts'
import { readNix } from './nix.ts'
import { readQuadlet } from './quadlet.ts'
import { readValues } from './values.ts'

const files = join(dirname(import.meta.dirname), 'files')

const readers: readonly (readonly [RegExp, Reader])[] = [
  [/^(?:docker-)?compose\.ya?ml$/, readCompose],
  [/\.container$/, readQuadlet],
  [/\.nix$/, readNix],
  [/^kustomization\.yaml$/, readKustomization],
  [/^values\.yaml$/, readValues],
  [/\.yaml$/, readManifest],
  [/\.sh$/, readDockerRun],
  [/^Dockerfile$/, readDockerfile],
]

/** Whether kubelet runs what a file of this name is for. */
export const isForKubernetes = (path: string): boolean =>
  ([readManifest, readKustomization, readValues] as readonly (Reader | undefined)[]).includes(readerOf(path))

/** The container `name` of the file at `path` below files/. */
export function readContainer(path: string, name: string): Container | Promise<Container> {
  const reader = readerOf(path)
  if (reader === undefined) throw new Error(`nothing reads ${path}`)
  return reader(join(files, dirname(path)), basename(path), name)
}

const readerOf = (path: string): Reader | undefined => readers.find(([name]) => name.test(basename(path)))?.[1]
