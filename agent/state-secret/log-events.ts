import { logEvents } from '../../lib/log-event.ts'

export const events = logEvents('stateSecret', {
  apiByAddress: {
    text: 'warning: kubernetes.default.svc is not found in DNS: the Kubernetes API is asked at {url}, by tailscaled, too. Under hostNetwork, set dnsPolicy: ClusterFirstWithHostNet; where /etc/resolv.conf has 100.100.100.100 from an earlier container, delete the Pod',
    meaning: 'The Pod’s DNS does not know the cluster.',
    remedy: 'As the message says.',
  },
  mayPatch: {
    text: 'the service account may patch Secret "{secret}" now',
    meaning: 'The right was granted meanwhile, and the agent writes its keys.',
  },
  mayNotPatch: {
    text: 'warning: the service account may not patch Secret "{secret}": nothing is written there about this device',
    meaning: 'Operators and `kubectl` do not see the device in the Secret; traffic does not depend on it.',
    remedy: 'Grant the verb `patch` on this Secret.',
  },
  keyStays: {
    text: 'warning: {key} stays in Secret "{secret}" for now: {problem}',
    meaning: 'An auth key for one login could not be removed yet; it is tried again.',
    remedy: 'Grant the verb `patch` on this Secret, if the message says so.',
  },
  undecodable: {
    text: 'warning: {key} of Secret "{secret}" is not base64 and counts as absent',
    meaning: 'A value of the Secret is damaged.',
    remedy: 'Correct or remove it.',
  },
  notUpToDate: {
    text: 'warning: {keys} of Secret "{secret}" could not be brought up to date: {problem}',
    meaning: 'What an earlier run wrote stays for now; it is tried again.',
    remedy: 'As the message says.',
  },
  healed: {
    text: 'tailscaled’s state in Secret "{secret}": {problem}; put right from what is there, the node stays the same',
    level: 'warn',
    meaning: 'An index or pointer of tailscaled’s state was missing, and is restored.',
  },
  broken: {
    text: 'warning: tailscaled’s state in Secret "{secret}": {problem}',
    meaning: 'A part of the node’s identity is missing: tailscaled cannot start from it.',
    remedy: 'Restore the Secret from a backup, or delete the keys that the message names and log in again.',
  },
  lost: {
    text: 'warning: Secret "{secret}": {problem}',
    meaning: 'The running node’s identity is gone from the Secret, and is lost at the next start.',
    remedy: 'Restore the Secret from a backup, or restart the Pod with a fresh auth key.',
  },
  unseen: {
    text: 'warning: Secret "{secret}" cannot be seen: {problem}',
    meaning: 'The Kubernetes API does not answer, or denies it. Traffic goes on.',
    remedy: 'As the message says; it is tried again.',
  },
  seenAgain: { text: 'Secret "{secret}" can be seen again', meaning: 'The failure before is over.' },
  awaited: {
    text: 'Waiting for tailscaled to finish writing state to Secret "{secret}"',
    awaited: true,
    meaning: 'At the stop: tailscaled has not yet written all of its state.',
  },
})
