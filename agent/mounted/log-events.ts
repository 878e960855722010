import { logEvents } from '../../lib/log-event.ts'

export const events = logEvents('file', {
  rejected: {
    text: 'warning: {problem}',
    meaning: 'A mounted file, or an entry of one, cannot be used. Its last good state stays in use.',
    remedy: 'Correct the place that the message names.',
  },
  unwatched: {
    text: 'warning: {problem}',
    meaning: 'Changes in a mounted directory are noticed late: it is only read again from time to time.',
    remedy: 'Mostly the node’s limit of inotify watches: raise `fs.inotify.max_user_instances`.',
  },
})
