import { escapeUnit } from '../lib/quote.ts'

/** How Go, in which operators and tailscaled are written, reads and writes JSON. */

/** A field of an object: its name as it is spelled there, and what is known of it. */
type Field<Value> = readonly [name: string, Value]

/** Names of fields are matched whatever the case of their letters. */
export const isSameField = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase()

/** What the field `name` has; of two alike the last counts. */
export const fieldNamed = <Value>(fields: readonly Field<Value>[], name: string): Value | undefined => {
  const lower = name.toLowerCase()
  return fields.findLast(([other]) => other.toLowerCase() === lower)?.[1]
}

/** Those fields that have none of these names. */
export function unknownFields<Value>(fields: readonly Field<Value>[], names: readonly string[]): Field<Value>[] {
  const known = new Set(names.map((name) => name.toLowerCase()))
  return fields.filter(([name]) => !known.has(name.toLowerCase()))
}

/** JSON in the bytes that Go writes. */
export const goJson = (value: unknown): string => JSON.stringify(value).replaceAll(/[<>&\u2028\u2029]/g, escapeUnit)
