import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { withLock } from './lock.ts'
import type { Part } from './part.ts'
import type { Progress } from '../progress.ts'

/** A part and its current or future directory in the cache. */
export type Placed<Name extends string = string> = { readonly part: Part<Name>; readonly directory: string }

/** The directories of parts with their present inputs. */
export async function place<Name extends string>(cache: string, parts: readonly Part<Name>[]): Promise<Placed<Name>[]> {
  return await Promise.all(
    parts.map(async (part) => {
      const key = createHash('sha256')
        .update(process.arch)
        .update('\0')
        .update(await part.inputs())
        .digest('hex')
        .slice(0, 16)
      return { part, directory: join(cache, 'parts', `${part.name}-${key}`) }
    }),
  )
}

export function missing<Name extends string>(placed: readonly Placed<Name>[]): Placed<Name>[] {
  return placed.filter(({ directory }) => !existsSync(directory))
}

/**
 * Builds parts, one after the other, as a step of `progress` each. What another process builds meanwhile is waited for
 * and not built again; a part appears in the cache complete or not at all.
 */
export async function build(cache: string, wanted: readonly Placed[], progress: Progress): Promise<void> {
  for (const { part, directory } of wanted) {
    await progress.step(`build ${part.name}`, async (note) => {
      await withLock(
        join(cache, 'lock'),
        async () => {
          if (existsSync(directory)) return
          await discardRemains(join(cache, 'parts'))
          const temporary = join(cache, 'parts', `.building-${part.name}-${process.pid}`)
          await mkdir(temporary, { recursive: true })
          try {
            await part.build(temporary, note)
            await rename(temporary, directory)
          } finally {
            await rm(temporary, { recursive: true, force: true })
          }
        },
        (holder) => note(`waiting for ${holder}, which is building`),
      )
    })
  }
}

/** Removes what an interrupted build left. Called with the lock held, so nothing is being built. */
async function discardRemains(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  await Promise.all(
    names.filter((name) => name.startsWith('.building-')).map((name) => rm(join(directory, name), { recursive: true })),
  )
}
