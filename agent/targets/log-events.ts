import { logEvents } from '../../lib/log-event.ts'

export const events = logEvents('target', {
  problem: {
    text: 'warning: {problem}',
    meaning: 'The DNS name of L3 ingress cannot be resolved, or an address of it cannot be used.',
    remedy: 'As the message says; the last good addresses stay in use.',
  },
  unreadable: {
    text: 'warning: {what} cannot be read: {problem}',
    meaning: 'A part of the Pod’s own network is not known; what was known last counts.',
    remedy: 'See whether the image or the security context denies it.',
  },
})
