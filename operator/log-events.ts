import { logEvents } from '../lib/log-event.ts'

export const events = logEvents('operator', {
  begins: { text: 'culvert operator {version}', meaning: 'A replica of the operator has started.' },
  setting: {
    text: 'warning: {problem}',
    meaning: 'A variable has no effect, or is probably misspelt.',
    remedy: 'As the message says.',
  },
  follows: { text: 'follows the cluster', meaning: 'All that it works on was listed, and is followed.' },
  leads: { text: 'is the leader', meaning: 'This replica holds the Lease, and works.' },
  leadsShard: {
    text: 'is the leader of shard {shard} of {shards}',
    meaning: 'This replica holds the Lease of this shard, and works on it. Shards are counted from 0.',
  },
  standsBy: { text: 'stands by', meaning: 'Another replica holds the Lease; this one follows, and takes over.' },
  leaseTrouble: {
    text: 'error: {what} the Lease: {problem}',
    meaning: 'The Lease cannot be read or written. The leader ends before it expires, if that lasts.',
    remedy: 'See whether the API server answers, and whether the Role of the manifest is there.',
  },
  leaseWell: { text: '{what} the Lease: well again', meaning: 'The failure before is over.' },
  failed: {
    text: 'error: {what}: {problem}',
    meaning:
      'Work on this object, or following a kind of object, has failed. It is tried again, with growing pauses, and told again only if the reason changes.',
    remedy:
      'As the message says; conditions and Events of the object say more. [What is reported](operator.md#what-is-reported)',
  },
  well: { text: '{what}: well again', meaning: 'The failure before is over.' },
  wrote: {
    text: 'wrote {kind} {object}',
    level: 'debug',
    meaning: 'An object was written to the cluster. Only with `OPERATOR_LOGGING=debug` or `CULVERT_LOG_LEVEL=debug`.',
  },
  notOurs: {
    text: 'warning: {problem}',
    meaning: 'A proxy’s Secret names a device or key that is not proven to be the proxy’s own; it is left alone.',
    remedy: 'Remove it in the tailnet’s admin console, if it is the proxy’s.',
  },
})

export const cleaning = logEvents('cleanup', {
  begins: { text: 'culvert operator {version}: removes all that it has made', meaning: 'The clean-up has started.' },
  scaledDown: {
    text: 'Deployment "{name}" is scaled down',
    meaning: 'The operator stops, so that the clean-up may work.',
  },
  gone: { text: 'Deployment "{name}" is gone already', meaning: 'There is no operator to stop.' },
  inTailnet: {
    text: 'error: {problem}',
    meaning: 'Something stays in the tailnet, since Tailscale’s API did not remove it.',
    remedy: 'Remove it in the admin console.',
  },
  left: { text: 'left: {objects}', meaning: 'What is still to go.' },
  done: { text: 'nothing is left', meaning: 'All is removed.' },
})
