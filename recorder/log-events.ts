import { logEvents } from '../lib/log-event.ts'

export const events = logEvents('recorder', {
  begins: { text: 'culvert recorder {version}', meaning: 'The recorder has started.' },
  setting: {
    text: 'warning: {problem}',
    meaning: 'A variable or flag has no effect.',
    remedy: 'As the message says.',
  },
  listens: {
    text: 'listens on {address}, and for probes on port {port}',
    meaning: 'Recordings may be uploaded.',
  },
  servesPage: {
    text: 'serves the web page on {address}',
    meaning: 'Recordings can be looked at by whoever the policy allows it.',
  },
  pageFailed: {
    text: 'warning: the web page could not answer: {problem}',
    meaning: 'Somebody was shown an error instead of recordings.',
    remedy: 'As the message says.',
  },
  refused: {
    text: 'warning: an upload was refused or broken off: {problem}',
    meaning: 'An upload did not begin, or did not come to its end, and it is not known whose it was.',
    remedy: 'As the message says.',
  },
  refusedOf: {
    text: 'warning: an upload of {peer} was refused or broken off: {problem}',
    meaning: 'An upload of this node did not begin, or did not come to its end.',
    remedy: 'As the message says.',
  },
  finished: {
    text: 'finished {count} recordings that were broken off',
    meaning: 'They can be played as far as they go.',
  },
  unfinished: {
    text: 'error: the recording {key} could not be finished: {problem}',
    meaning: 'A recording that was broken off stays as it is; it is tried again.',
    remedy: 'See to the directory, as the message says.',
  },
  unfinishedYet: {
    text: 'error: the recording {key} could not be finished, and will be later: {problem}',
    meaning: 'A recording cannot be brought to its end; that is tried again each minute.',
    remedy: 'See to the directory, as the message says.',
  },
  notFinished: {
    text: 'error: {problem}',
    meaning: 'Recordings that were broken off could not be looked for; that is tried again each minute.',
    remedy: 'See to the directory, as the message says.',
  },
  removed: {
    text: 'removed {count} recordings and events from before {date}',
    meaning: 'They were older, or more, than the settings let them be.',
  },
  unreadable: {
    text: 'warning: {key} cannot be read: {problem}',
    meaning: 'A recording is listed without what its header says.',
    remedy: 'As the message says.',
  },
  notLookedAt: {
    text: 'error: the recordings could not all be looked at: {problem}',
    meaning: 'The index of recordings may be behind; it is tried again.',
    remedy: 'See to the directory, or to S3, as the message says.',
  },
  remoteFails: {
    text: 'error: nothing can be stored in S3: {problem}',
    meaning: 'Recordings stay in the spool, and new ones are taken while that has room; it is tried again.',
    remedy: 'As the message says.',
  },
  remoteWell: { text: 'S3 takes what is stored there', meaning: 'The failure before is over.' },
  notKept: {
    text: 'error: {key} could not be stored in S3, and stays in the spool: {problem}',
    meaning: 'Something cannot be stored, while other things can; it is tried again.',
    remedy: 'As the message says.',
  },
  notEmptied: {
    text: 'error: {count} recordings and events are not in S3 yet; they are stored there when the recorder starts again with this spool',
    meaning: 'The recorder ends while S3 is slow or away. A spool on an emptyDir ends with its Pod.',
    remedy: 'Have the spool on a volume that stays, or give the recorder more time with `CULVERT_RECORDER_DRAIN`.',
  },
  lacking: {
    text: 'error: {part}: {problem}',
    meaning: 'The recorder is not ready: tailscaled or the directory is not as it should be.',
    remedy: 'As the message says.',
  },
  wellAgain: { text: '{part}: as it should be', meaning: 'The failure before is over.' },
})
