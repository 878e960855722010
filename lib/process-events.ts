import { logEvents } from './log-event.ts'

/** What every program says of its end. */
export const processEvents = logEvents('process', {
  ends: {
    text: '{reason}, shutting down',
    meaning: 'The program ends in order, for this reason.',
  },
  failed: {
    text: 'error: {problem}',
    meaning: 'The program ends, or cannot begin, for this reason; kubelet shows it, too.',
    remedy: 'As the message says. [Exit codes](operations.md#exit-codes)',
  },
  notAccepted: {
    text: 'warning: {problem}',
    meaning: 'A connection to the port of probes and metrics was not accepted.',
    remedy: 'Mostly the limit of open files: see `ulimit -n` in the container.',
  },
  reasonNotLeft: {
    text: 'warning: the reason cannot be left in {path}: {problem}',
    meaning: 'The file from which kubelet takes the reason of an end cannot be written.',
    remedy: 'Read the reason here, in the line before.',
  },
})
