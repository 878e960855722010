import { isUtf8 } from 'node:buffer'
import { getNodeValue, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser'
import { CulvertError } from './errors.ts'

/** One field of a document's object. */
export type Field = {
  readonly name: string
  readonly value: unknown
  /** An error that says where the field is. `what` must not contain values: files hold keys. */
  readonly error: (what: string) => CulvertError
}

/**
 * Reads a document of HuJSON, which is JSON with comments and trailing commas, whose value is an object. Gives its
 * fields in order; a name may occur twice.
 * @throws CulvertError `settings` with file, line, column and reason, never with content.
 */
export function readHujsonObject(path: string, bytes: Buffer): readonly Field[] {
  if (!isUtf8(bytes)) throw new CulvertError('settings', `${path}: the file is not UTF-8`)
  const text = bytes.toString('utf8')
  const errorAt = (offset: number, what: string): CulvertError => {
    const before = text.slice(0, offset)
    const position = `${before.split('\n').length}:${offset - before.lastIndexOf('\n')}`
    return new CulvertError('settings', `${path}:${position}: ${what}`)
  }
  if (text.trim() === '') throw new CulvertError('settings', `${path}: the file is empty`)
  try {
    const errors: ParseError[] = []
    const root = parseTree(text, errors, { allowTrailingComma: true })
    const [first] = errors
    if (first !== undefined) throw errorAt(first.offset, reason(first, text))
    if (root?.type !== 'object') throw errorAt(root?.offset ?? 0, 'the document is no object')
    return (root.children ?? []).map(({ offset, children: [name, value] = [] }) => ({
      name: String(name?.value),
      value: value && (getNodeValue(value) as unknown),
      error: (what) => errorAt(offset, what),
    }))
  } catch (error) {
    if (error instanceof RangeError) throw new CulvertError('settings', `${path}: values are nested too deeply`)
    throw error
  }
}

/** `CommaExpected` becomes `comma expected`. */
function reason({ error, offset, length }: ParseError, text: string): string {
  const name = printParseErrorCode(error)
  const words = name.replaceAll(/(?<=.)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase()
  const atEnd = name !== 'EndOfFileExpected' && offset + length >= text.trimEnd().length
  return `${words}${atEnd ? ', and the file ends there: perhaps it was half written' : ''}`
}
