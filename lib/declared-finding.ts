import { failed, type Finding, type Level } from './finding.ts'
import { type FieldsIn, filled, plain, type Values } from './log-event.ts'

/** What is known of a finding before it is found. */
export type DeclaredFinding = {
  readonly level: Level
  /** What is wrong and how that shows, with fields in braces. Of a `problem` that is an error, its message. */
  readonly text: string
  /** What to do, with fields; without it, the remedy of the problem. */
  readonly remedy?: string
  /** For the page that lists all findings, as Markdown: how it is found, and what it means. */
  readonly meaning: string
}

type Table = Readonly<Record<string, DeclaredFinding>>
type TextOf<One extends DeclaredFinding> =
  `${One['text']}${One extends { remedy: infer Remedy extends string } ? Remedy : ''}`

/** Makes a finding from the values of its fields. */
export type MadeFinding<Text extends string> = ([FieldsIn<Text>] extends [never]
  ? () => Finding
  : (values: Values<Text>) => Finding) & { readonly declared: DeclaredFinding & { readonly id: string } }

/**
 * Declares what may be found in an area; findings are made by functions of the same names. The id of `ok` is the area,
 * and that of another one has its name behind a dot.
 */
export function declareFindings<const All extends Table>(
  area: string,
  all: All,
): { readonly [Key in keyof All]: MadeFinding<TextOf<All[Key]>> } {
  const made = Object.entries(all).map(([key, one]) => [key, maker(key === 'ok' ? area : `${area}.${key}`, one)])
  return Object.fromEntries(made)
}

function maker(id: string, one: DeclaredFinding) {
  const make = (values: Readonly<Record<string, unknown>> = {}): Finding => {
    const { problem } = values
    const { message = '', remedy: theirs } = problem === undefined ? {} : failed(one.level, id, problem)
    const fields = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, name === 'problem' ? message : plain(value)]),
    )
    const remedy = one.remedy === undefined ? theirs : filled(one.remedy, fields)
    return { check: id, level: one.level, message: filled(one.text, fields), ...(remedy !== undefined && { remedy }) }
  }
  return Object.assign(make, { declared: { ...one, id } })
}
