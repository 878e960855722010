import { logEvents } from '../../lib/log-event.ts'

export const logged = logEvents('certificate', {
  ready: {
    text: 'the certificate of {domain} is there, valid until {until}',
    meaning: 'A certificate was issued or renewed, and is in its Secret.',
  },
  problem: {
    text: 'warning: {problem}',
    meaning: 'What blocks a certificate, or why it is not renewed.',
    remedy: 'As the message says; [Certificates](certificates.md) has a table of the reasons.',
  },
  memoryUnreadable: {
    text: 'warning: {key} of Secret "{secret}" cannot be read, and counts as absent',
    meaning:
      'What earlier runs left there about failed requests is damaged: requests may begin sooner than they should.',
    remedy: 'None is needed; it is written anew.',
  },
})
