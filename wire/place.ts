import { quote } from '../lib/quote.ts'
import { fieldNamed, unknownFields } from './go-json.ts'

/** A value within an entry of a JSON document, and where it is there, such as `ports[2].matchPort`. */
export type Place = { readonly value: unknown; readonly path: string }

/** Why an entry cannot be used. */
export class Refusal extends Error {
  /** Path of the field within the entry; empty for the entry as a whole. */
  readonly field: string

  constructor(field: string, reason: string) {
    super(reason)
    this.field = field
  }
}

/** That what is at `place` is not `expected`, such as `an object`. */
export const refusal = ({ value, path }: Place, expected: string): Refusal =>
  new Refusal(path, isAbsent({ value }) ? `it is missing: ${expected} is needed` : `${shown(value)} is not ${expected}`)

/** Go takes `null` for nothing. */
export const isAbsent = ({ value }: { readonly value: unknown }): boolean => value === undefined || value === null

/** The field `name` of the object at `place`, as Go finds it. */
export function fieldOf(place: Place, name: string): Place {
  const { value, path } = place
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refusal(place, 'an object')
  const fields: [string, unknown][] = Object.entries(value)
  return { value: fieldNamed(fields, name), path: path === '' ? name : `${path}.${name}` }
}

/** What the object at `place` has by names that are not known beforehand; `null` is an empty one. */
export function membersOf(place: Place): [name: string, member: Place][] {
  const { value, path } = place
  if (value === undefined || value === null) return []
  if (typeof value !== 'object' || Array.isArray(value)) throw refusal(place, 'an object')
  return Object.entries(value).map(([name, member]) => [name, { value: member, path: `${path}[${quote(name, 300)}]` }])
}

/** Those members of the object at `place` that are none of `fields`. */
export const strangersOf = ({ value }: Place, fields: readonly string[]): string[] =>
  unknownFields(Object.entries(value ?? {}), fields).map(([name]) => name)

/** The items of the list at `place`; `null` is an empty one. */
export function itemsOf(place: Place): Place[] {
  const { value, path } = place
  if (value === null) return []
  if (!Array.isArray(value)) throw refusal(place, 'a list')
  return value.map((item: unknown, index) => ({ value: item, path: `${path}[${index}]` }))
}

/** The text at `place`; empty where it is absent. */
export function textOf(place: Place): string {
  if (isAbsent(place)) return ''
  if (typeof place.value !== 'string') throw refusal(place, 'a text')
  return place.value
}

/** Whether what is at `place` is true; absent, it is not. */
export function flagOf(place: Place): boolean {
  if (isAbsent(place)) return false
  if (typeof place.value !== 'boolean') throw refusal(place, 'true or false')
  return place.value
}

function shown(value: unknown): string {
  if (typeof value === 'string') return quote(value)
  if (Array.isArray(value)) return 'a list'
  return typeof value === 'object' ? 'an object' : JSON.stringify(value)
}
