import { describe } from './errors.ts'

/** How much an event matters, the least first. */
export const levels = ['debug', 'info', 'warn', 'error'] as const
export type Level = (typeof levels)[number]

/** One thing that has happened, as a value: nothing is written yet. */
export type LogEvent = {
  /** Stable: room and key of its declaration, such as `tailscaled.hung`. */
  readonly name: string
  readonly level: Level
  /** The line for people. */
  readonly text: string
  readonly fields: Readonly<Record<string, string | number>>
  /** Scripts wait for its line: it is told at every level, and each time. */
  readonly awaited?: true
}

/** What is known of an event before it happens. */
export type Declared = {
  /** The line for people, with fields in braces. */
  readonly text: string
  /** By default what the line begins with says: `warning: `, `error: `, or neither. */
  readonly level?: Level
  readonly awaited?: true
  /** For docs/log.md, as Markdown: what has happened, and what to do. */
  readonly meaning: string
  readonly remedy?: string
}

export type FieldsIn<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | FieldsIn<Rest>
  : never

/** The values of the fields in a text; a problem may be an error, of which message, cause and remedy are told. */
export type Values<Text extends string> = {
  readonly [Name in FieldsIn<Text>]: Name extends 'problem' ? unknown : string | number
}

/** Makes the value of an event from those of its fields. */
export type Made<Text extends string> = ([FieldsIn<Text>] extends [never]
  ? () => LogEvent
  : (values: Values<Text>) => LogEvent) & {
  readonly declared: Declared & { readonly name: string; readonly level: Level }
}

type Table = Readonly<Record<string, Declared>>

/**
 * Declares the events of a room of the program; they are made by functions of the same names. docs/log.md lists them
 * all, and is made from these declarations.
 */
export function logEvents<const All extends Table>(
  room: string,
  all: All,
): { readonly [Key in keyof All]: Made<All[Key]['text']> } {
  const made = Object.entries(all).map(([key, one]) => [key, maker(`${room}.${key}`, one)])
  return Object.fromEntries(made)
}

function maker(name: string, one: Declared) {
  const { text, awaited } = one
  const level = one.level ?? levelOf(text)
  const make = (values: Readonly<Record<string, unknown>> = {}): LogEvent => {
    const fields = Object.fromEntries(Object.entries(values).map(([field, value]) => [field, plain(value)]))
    return { name, level, text: filled(text, fields), fields, ...(awaited && { awaited }) }
  }
  return Object.assign(make, { declared: { ...one, name, level } })
}

export const plain = (value: unknown): string | number => (typeof value === 'number' ? value : describe(value))

/** A text with its fields; braces within these stay as they are. */
export const filled = (text: string, fields: LogEvent['fields']): string =>
  text.replaceAll(/\{(\w+)\}/g, (brace, field: string) => String(fields[field] ?? brace))

const levelOf = (text: string): Level =>
  text.startsWith('warning: ') ? 'warn' : text.startsWith('error: ') ? 'error' : 'info'
