import { isUtf8 } from 'node:buffer'
import { getNodeValue, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import { CulvertError } from './errors.ts'

/** One field of a document's object, in order; a name may occur twice. */
export type Field = {
  readonly name: string
  readonly value: unknown
  /** Where it begins, `line:column`, both from 1. */
  readonly position: string
}

/** An error in a file. `what` must not tell values: files hold keys. */
export const fileError = (path: string, position: string, what: string): CulvertError =>
  new CulvertError('settings', `${path}:${position}: ${what}`)

/**
 * Reads a document of HuJSON, which is JSON with comments and trailing commas, whose value is an object.
 * @throws CulvertError `settings` with file, position and reason, never with content.
 */
export function readHujsonObject(path: string, bytes: Buffer): readonly Field[] {
  if (!isUtf8(bytes)) throw fileError(path, '1:1', 'the file is not UTF-8')
  const text = bytes.toString('utf8')
  const fail = (offset: number, what: string): never => {
    throw fileError(path, positionIn(text, offset), what)
  }
  if (text.trim() === '') fail(0, 'the file is empty')
  try {
    const errors: ParseError[] = []
    const root = parseTree(text, errors, { allowTrailingComma: true })
    const [first] = errors
    if (first !== undefined) fail(first.offset, reason(first, text))
    if (root?.type !== 'object') return fail(root?.offset ?? 0, 'the document is no object')
    return (root.children ?? []).map((property) => fieldOf(property, text))
  } catch (error) {
    if (error instanceof RangeError) return fail(0, 'values are nested too deeply')
    throw error
  }
}

function fieldOf({ offset, children }: Node, text: string): Field {
  const [name, value] = children ?? []
  return {
    name: String(name?.value),
    value: value === undefined ? undefined : (getNodeValue(value) as unknown),
    position: positionIn(text, offset),
  }
}

/** `CommaExpected` becomes `comma expected`. */
function reason({ error, offset, length }: ParseError, text: string): string {
  const name = printParseErrorCode(error)
  const words = name.replaceAll(/(?<=.)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase()
  const atEnd = name !== 'EndOfFileExpected' && offset + length >= text.trimEnd().length
  return `${words}${atEnd ? ', and the file ends there: perhaps it was half written' : ''}`
}

function positionIn(text: string, offset: number): string {
  const before = text.slice(0, offset)
  return `${before.split('\n').length}:${offset - before.lastIndexOf('\n')}`
}
