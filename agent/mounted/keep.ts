import { dirname, join } from 'node:path'
import { watchDirectory } from '../../lib/directory.ts'
import type { Log } from '../../lib/log.ts'
import type { Waits } from '../world/timings.ts'
import type { Store } from '../world/world.ts'
import { documents, type MountedKey } from './documents.ts'
import type { Document } from './mounted.ts'
import { fileReader } from './reader.ts'
import { problemTeller } from '../world/log-problems.ts'
import { problemsOf } from './views.ts'

type Parts = { readonly store: Store; readonly log: Log; readonly waits: Waits; readonly signal: AbortSignal }

/** Where files are mounted; undefined where none are. */
export type MountPaths = {
  readonly egressDirectory: string | undefined
  readonly ingressFile: string | undefined
  readonly serveFile?: string | undefined
}

/**
 * Keeps World.egressServices, healthPings, ingressServices and serveConfig at what the mounted files say, and logs what
 * of them is not used, until `signal` aborts. Resolves when each file was read once.
 */
export async function keepMounted(
  parts: Parts,
  { egressDirectory, ingressFile, serveFile }: MountPaths,
): Promise<void> {
  if (egressDirectory !== undefined) {
    await follow(egressDirectory, parts, [
      mountedReader('egressServices', join(egressDirectory, documents.egressServices.name), parts),
      mountedReader('healthPings', join(egressDirectory, documents.healthPings.name), parts),
    ])
  }
  if (ingressFile !== undefined) {
    await follow(dirname(ingressFile), parts, [mountedReader('ingressServices', ingressFile, parts)])
  }
  if (serveFile !== undefined) {
    await follow(dirname(serveFile), parts, [mountedReader('serveConfig', serveFile, parts)])
  }
}

type Read = () => Promise<void>

async function follow(directory: string, { log, waits, signal }: Parts, readers: readonly Read[]): Promise<void> {
  const readAll = async (): Promise<void> => {
    await Promise.all(readers.map((read) => read()))
  }
  await readAll()
  const report = (problem: string): void => log(`warning: ${problem}`)
  void watchDirectory(directory, readAll, { rereadMs: waits.look, report, signal })
}

function mountedReader(key: MountedKey, path: string, { store, log, signal }: Parts): Read {
  const document = documents[key] as Document<unknown>
  const tell = problemTeller(document.name, log, signal)
  return fileReader(path, document, (mounted) => {
    if (signal.aborted) return
    store.update((world) => ({ ...world, [key]: mounted }))
    tell(problemsOf(document.name, mounted))
  })
}
