import { dirname, join } from 'node:path'
import { watchDirectory } from '../../lib/directory.ts'
import type { Context } from '../world/context.ts'
import { logProblems } from '../world/log-problems.ts'
import { type Document, documents, type MountedKey } from './documents.ts'
import { fileReader } from './reader.ts'
import { problemsOf } from './views.ts'
import { events } from './log-events.ts'

/** Where the files are mounted; undefined where none are. */
export type MountPaths = {
  readonly egressDirectory: string | undefined
  readonly ingressFile: string | undefined
  readonly serveFile?: string | undefined
}

type Parts = Pick<Context, 'store' | 'log' | 'timings' | 'clock' | 'signal' | 'background'>
type Read = () => Promise<void>

/**
 * Keeps World.mounted up to date with the mounted files and logs what in them is rejected, until `signal` aborts.
 * Resolves when each file was read once.
 */
export async function keepMounted(
  parts: Parts,
  { egressDirectory, ingressFile, serveFile }: MountPaths,
): Promise<void> {
  const { store, log, timings, signal, background } = parts
  const write = store.writer('mounted')

  const readerOf = <Content>(key: MountedKey, document: Document<Content>, path: string): Read => {
    const problems = logProblems(document.name, events.rejected, parts)
    return fileReader(path, document, (mounted) => {
      if (signal.aborted) return
      write((files) => ({ ...files, [key]: mounted }))
      problems(problemsOf(document.name, mounted))
    })
  }
  const follow = async (directory: string, readers: readonly Read[]): Promise<void> => {
    const readAll = async (): Promise<void> => {
      await Promise.all(readers.map((read) => read()))
    }
    await readAll()
    const report = (problem: string): void => log(events.unwatched({ problem }))
    background(`following ${directory}`, () =>
      watchDirectory(directory, readAll, { rereadMs: timings.look, report, signal }),
    )
  }

  if (egressDirectory !== undefined) {
    const { egressServices, healthPings } = documents
    await follow(egressDirectory, [
      readerOf('egressServices', egressServices, join(egressDirectory, egressServices.name)),
      readerOf('healthPings', healthPings, join(egressDirectory, healthPings.name)),
    ])
  }
  if (ingressFile !== undefined)
    await follow(dirname(ingressFile), [readerOf('ingressServices', documents.ingressServices, ingressFile)])
  if (serveFile !== undefined) {
    // Operators mount an empty folder for a group until one of its Services has HTTPS.
    const document = { ...documents.serveConfig, required: ingressFile === undefined }
    await follow(dirname(serveFile), [readerOf('serveConfig', document, serveFile)])
  }
}
