import { levels, type Level } from './log-event.ts'

export type LogSettings = { readonly format: 'text' | 'json'; readonly level: Level }

/** The variables of every program of Culvert that say how it logs; the effect is Markdown for users. */
export const logVariables = [
  {
    name: 'CULVERT_LOG_FORMAT',
    type: 'text',
    default: 'text',
    effect: 'The form of the log: `text`, or `json`, one document a line with the name and fields of an event',
  },
  {
    name: 'CULVERT_LOG_LEVEL',
    type: 'text',
    default: 'info',
    effect: 'What is logged: `debug`, `info`, `warn` or `error`, each with all that matters more',
  },
] as const

export type LogVariable = (typeof logVariables)[number]['name']
/** Gives the value of a variable. */
type Read = (name: LogVariable) => string | undefined

const formats = ['text', 'json'] as const
const words: Readonly<Record<LogVariable, readonly string[]>> = {
  CULVERT_LOG_FORMAT: formats,
  CULVERT_LOG_LEVEL: levels,
}

/** How to log. A value that is not valid counts as absent, so that it can be told. `usual`: the level without a value. */
export const readLogSettings = (read: Read, usual: Level = 'info'): LogSettings => ({
  format: formats.find((one) => one === read('CULVERT_LOG_FORMAT')) ?? 'text',
  level: levels.find((one) => one === read('CULVERT_LOG_LEVEL')) ?? usual,
})

/** The variables whose values are not valid, and what would be. */
export const wrongLogSettings = (read: Read) =>
  logVariables.flatMap(({ name }) => {
    const value = read(name) || undefined
    if (value === undefined || words[name].includes(value)) return []
    return [{ name, value, accepted: words[name].join(', ').replace(/, (?=\w+$)/, ' or ') }]
  })
