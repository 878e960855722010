import { logEvents } from '../../lib/log-event.ts'

export const events = logEvents('figures', {
  uncounted: {
    text: 'warning: traffic is not counted: {problem}',
    meaning: 'The counters beside the rules could not be made or read. What is forwarded does not depend on them.',
    remedy: 'As the message says; they are tried again whenever they are asked for.',
  },
  begunAgain: {
    text: 'the counters of traffic were removed by another program: they begin anew',
    level: 'warn',
    meaning: 'What was counted since they were last read is lost. Totals go on.',
    remedy: 'If it repeats, stop that program from doing so.',
  },
})
