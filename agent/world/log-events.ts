import { logEvents } from '../../lib/log-event.ts'

export const reconciling = logEvents('reconciler', {
  failed: {
    text: '{reconciler}: {problem}',
    level: 'warn',
    meaning:
      'What this [reconciler](operations.md) keeps could not be brought into its desired state. It is tried again, with growing pauses, and told again only if the reason changes.',
    remedy: 'As the message says; `culvert ready --verbose` shows whether it lasts.',
  },
  repaired: {
    text: '{reconciler}: another program had changed what was in place; repaired ({repairs} so far)',
    level: 'warn',
    meaning: 'Another program had changed it.',
    remedy: 'If it repeats, find the program: a second agent in the Pod, a firewall manager of the node, a controller.',
  },
  wellAgain: { text: '{reconciler}: in place again', meaning: 'The failure before is over.' },
  unplanned: {
    text: 'error: {reconciler}: {problem}',
    meaning: 'A bug: the desired state could not be planned. The last one stays in place.',
    remedy: 'Report the line.',
  },
})

export const working = logEvents('work', {
  begunAgain: {
    text: 'warning: {work} failed, and is begun again in {ms} ms: {problem}',
    meaning: 'Lasting work of the agent has failed; the rest goes on.',
    remedy: 'As the message says; report the line if it is a bug.',
  },
  good: { text: '{what} is good again', meaning: 'All problems that were told of this are over.' },
  more: {
    text: 'warning: {what}: and {count} more',
    meaning: 'More problems of the same kind than are logged.',
    remedy: '`culvert status` has all of them.',
  },
})
