import { escapeUnit } from '../lib/quote.ts'

/** JSON as Go reads and writes it, the language of operators and tailscaled. */

/** A field of an object: its spelling, and its value. */
type Field<Value> = readonly [name: string, Value]

/** Go matches field names regardless of case. */
export const isSameField = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase()

/** The value of the field `name`; of duplicates the last counts. */
export const fieldNamed = <Value>(fields: readonly Field<Value>[], name: string): Value | undefined => {
  const lower = name.toLowerCase()
  return fields.findLast(([other]) => other.toLowerCase() === lower)?.[1]
}

/** The fields with other names than these. */
export function unknownFields<Value>(fields: readonly Field<Value>[], names: readonly string[]): Field<Value>[] {
  const known = new Set(names.map((name) => name.toLowerCase()))
  return fields.filter(([name]) => !known.has(name.toLowerCase()))
}

/** JSON in the bytes that Go writes. */
export const goJson = (value: unknown): string => JSON.stringify(value).replaceAll(/[<>&\u2028\u2029]/g, escapeUnit)
