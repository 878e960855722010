import { quote } from '../lib/quote.ts'
import { fieldNamed, unknownFields } from './go-json.ts'

/** A value within an entry of a JSON document, and its path there, such as `ports[2].matchPort`. */
export type JsonCursor = { readonly value: unknown; readonly path: string }

/** Why an entry cannot be used. */
export class Refusal extends Error {
  /** Path of the field within the entry; empty for the entry as a whole. */
  readonly field: string

  constructor(field: string, reason: string) {
    super(reason)
    this.field = field
  }
}

/** An error: the value at `cursor` is not `expected`, such as `an object`. */
export const refusal = ({ value, path }: JsonCursor, expected: string): Refusal =>
  new Refusal(path, isAbsent({ value }) ? `it is missing: ${expected} is needed` : `${shown(value)} is not ${expected}`)

/** Go treats `null` as absent. */
export const isAbsent = ({ value }: { readonly value: unknown }): boolean => value === undefined || value === null

/** The field `name` of the object at `cursor`, found as Go does. */
export function fieldOf(cursor: JsonCursor, name: string): JsonCursor {
  const { value, path } = cursor
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal(cursor, 'an object')
  const fields: [string, unknown][] = Object.entries(value)
  return { value: fieldNamed(fields, name), path: path === '' ? name : `${path}.${name}` }
}

/** The members of the object at `cursor` whose names are not known in advance; `null` means empty. */
export function membersOf(cursor: JsonCursor): [name: string, member: JsonCursor][] {
  const { value, path } = cursor
  if (value === undefined || value === null) return []
  if (typeof value !== 'object' || Array.isArray(value)) throw refusal(cursor, 'an object')
  const members = Object.entries(value).filter(([name, member]) => !isComment(name, member))
  return members.map(([name, member]) => [name, { value: member, path: `${path}[${quote(name, 300)}]` }])
}

/** A text that people put into JSON as a comment, such as `"_comment": "…"`. */
const isComment = (name: string, value: unknown): boolean => /^(?:_|\/\/|#)/.test(name) && typeof value === 'string'

/** Members of the object at `cursor` that are not in `fields`. */
export const unknownMembers = ({ value }: JsonCursor, fields: readonly string[]): string[] =>
  unknownFields(Object.entries(value ?? {}), fields).map(([name]) => name)

/** The items of the list at `cursor`; `null` means empty. */
export function itemsOf(cursor: JsonCursor): JsonCursor[] {
  const { value, path } = cursor
  if (value === null) return []
  if (!Array.isArray(value)) throw refusal(cursor, 'a list')
  return value.map((item: unknown, index) => ({ value: item, path: `${path}[${index}]` }))
}

/** The text at `cursor`; empty if absent. */
export function textOf(cursor: JsonCursor): string {
  if (isAbsent(cursor)) return ''
  if (typeof cursor.value !== 'string') throw refusal(cursor, 'a text')
  return cursor.value
}

/** The boolean at `cursor`; false if absent. */
export function flagOf(cursor: JsonCursor): boolean {
  if (isAbsent(cursor)) return false
  if (typeof cursor.value !== 'boolean') throw refusal(cursor, 'true or false')
  return cursor.value
}

function shown(value: unknown): string {
  if (typeof value === 'string') return quote(value)
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : JSON.stringify(value)
}
