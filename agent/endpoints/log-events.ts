import { logEvents } from '../../lib/log-event.ts'

export const events = logEvents('endpoints', {
  problem: {
    text: 'warning: {problem}',
    meaning: 'A connection to an endpoint was not accepted.',
    remedy: 'Mostly the limit of open files: see `ulimit -n` in the container.',
  },
  noSocket: {
    text: 'warning: the status socket {path} cannot be opened: {problem}; CULVERT_SOCKET sets its path',
    meaning: '`culvert status`, `ready` and `live` cannot ask this agent. Traffic does not depend on it.',
    remedy: 'Set `CULVERT_SOCKET` to a path that can be written.',
  },
})
