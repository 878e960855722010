import { CulvertError, describe } from './errors.ts'
import { readable } from './quote.ts'

/** `unknown`: it could not be found out, and nothing says that something is wrong. */
export type Level = 'ok' | 'unknown' | 'warning' | 'error'

/** What a check has found. Its texts hold no secrets. */
export type Finding = {
  /** One word: what was looked at; after a dot, if findings are declared, which of them it is. */
  readonly check: string
  readonly level: Level
  readonly message: string
  /** What to do, in whole sentences; only if it is not ok. */
  readonly remedy?: string
}

export const ok = (check: string, message: string): Finding => ({ check, level: 'ok', message })

export const warning = (check: string, message: string, remedy: string): Finding => ({
  check,
  level: 'warning',
  message,
  remedy,
})

export const error = (check: string, message: string, remedy: string): Finding => ({
  check,
  level: 'error',
  message,
  remedy,
})

/** A finding from an error, which has its own remedy mostly. `context` goes before its message. */
export function failed(level: Level, check: string, cause: unknown, context = ''): Finding {
  const remedy = cause instanceof CulvertError ? cause.remedy : undefined
  const whole = describe(cause)
  const message = context + (remedy === undefined ? whole : whole.slice(0, -remedy.length).replace(/\. $/, ''))
  return { check, level, message, ...(remedy !== undefined && { remedy }) }
}

/** What could not be found out. */
export const unknown = (check: string, cause: unknown): Finding => failed('warning', check, cause, 'not known: ')

export const hasErrors = (findings: readonly Finding[]): boolean => findings.some(({ level }) => level === 'error')

/** One line; what comes from the cluster cannot break it. */
export const lineOf = ({ check, level, message, remedy }: Finding): string =>
  `${level} ${check}: ${readable(remedy === undefined ? message : `${message.replace(/\.$/, '')}. ${remedy}`)}`
