import { logVariables, wrongLogSettings } from '../../lib/log-settings.ts'
import { refusal } from './env-reader.ts'
import { names, type Rule } from './rule.ts'

export const logRule: Rule = {
  rule: `${names(logVariables.map(({ name }) => name))} are one of the words that they accept`,
  check: ({ text }) => {
    const [wrong] = wrongLogSettings(text)
    if (wrong !== undefined) throw refusal(wrong.name, wrong.value, `${wrong.accepted} is accepted`)
  },
}
