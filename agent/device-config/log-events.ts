import { logEvents } from '../../lib/log-event.ts'

export const events = logEvents('config', {
  rejected: {
    text: 'warning: {problem}',
    meaning:
      'tailscaled’s [config file](kubernetes.md#the-config-file) cannot be used; the last good one stays in use.',
    remedy: 'Correct the file as the message says.',
  },
  unwatched: {
    text: 'warning: {problem}',
    meaning: 'Changes of the config file are noticed late: it is only read again from time to time.',
    remedy: 'Mostly the node’s limit of inotify watches: raise `fs.inotify.max_user_instances`.',
  },
  fromSecret: { text: 'the config of Secret "{secret}" is read', meaning: 'It is there, or there again.' },
  unread: {
    text: 'warning: the config of Secret "{secret}": {problem}',
    meaning: 'The Secret of `CULVERT_CONFIG_SECRET` cannot be read, or has no config file. The last files stay in use.',
    remedy: 'Create the Secret, or grant the service account `get` and `watch` on it.',
  },
})
