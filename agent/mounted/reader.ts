import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { codeOf, describe } from '../../lib/errors.ts'
import { readSmallFile } from '../../lib/read-file.ts'
import { some } from '../../lib/some.ts'
import type { Mounted } from '../world/mounted.ts'
import type { Document } from './documents.ts'

/** A ConfigMap cannot be larger, and kubelet mounts the file from one. */
const maxBytes = 1024 * 1024

/**
 * Gives a function that reads the file at `path` and publishes the result: the first time, and whenever the bytes, or
 * the reason why there are none, have changed. An absent or empty file means an empty document, unless there was a good
 * one before: a file is lost more easily than it is emptied on purpose, so that the last good one stays.
 */
export function fileReader<Content>(
  path: string,
  { nothing, parse, required = false }: Document<Content>,
  publish: (mounted: Mounted<Content | undefined>) => void,
): () => Promise<void> {
  let seen: Buffer | string | undefined
  let content: Content | undefined

  const check = (read: Buffer | string): string | undefined => {
    if (typeof read === 'string') {
      const isAbsent = read.startsWith(absent)
      if (!isAbsent && read !== empty) return read
      if (content !== undefined && !isDeepStrictEqual(content, nothing.content)) {
        return `${isAbsent ? absent : empty} (write ${nothing.text} to remove all)`
      }
      content = nothing.content
      return isAbsent && required ? read : undefined
    }
    try {
      content = parse(read, content)
      return undefined
    } catch (error) {
      return describe(error)
    }
  }
  return async () => {
    const read = await readMounted(path, required)
    if (isDeepStrictEqual(read, seen)) return
    seen = read
    const problem = check(read)
    publish({ content, ...(problem !== undefined && { rejected: `${path}: ${problem}` }) })
  }
}

/** What is in the folder of an absent file, in case its name was mistaken. */
function neighbours(path: string): string {
  const folder = dirname(path)
  try {
    const names = readdirSync(folder).filter((name) => !name.startsWith('..'))
    return names.length === 0 ? `${folder} is empty` : `${folder} has ${some(names, { separator: ', ' })}`
  } catch (error) {
    return `${folder} cannot be read: ${describe(error)}`
  }
}

const absent = 'it is absent'
const empty = 'it is empty'

/** The file's bytes, or why it has none. */
async function readMounted(path: string, required: boolean): Promise<Buffer | string> {
  try {
    const bytes = await readSmallFile(path, maxBytes)
    return bytes.toString('latin1').trim() === '' ? empty : bytes
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') return `it cannot be read: ${describe(error)}`
    return required ? `${absent}; ${neighbours(path)}` : absent
  }
}
