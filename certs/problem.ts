/** What blocks a certificate; a closed list, so that metrics, Events and tests can rely on it. */
export type Reason =
  | 'not-running' // tailscaled is not running yet, or has not said for which names there can be certificates
  | 'untagged' // the node has no tag, so that it can host no Tailscale Service
  | 'not-hosted' // the control server has not assigned the Tailscale Service to this node
  | 'https-off' // the tailnet has no certificates at all
  | 'no-cert-domain' // the tailnet does not let this node have a certificate for the name
  | 'dns-challenge' // the record that proves the name cannot be set, or was not found
  | 'acme-account' // the account at the authority cannot be had or used
  | 'rate-limit' // the authority's rate limit is reached
  | 'authority-away' // the authority cannot be reached
  | 'authority-unwell' // the authority answers that it cannot answer
  | 'authority-refuses' // the authority does not issue
  | 'secret-missing' // there is no TLS Secret
  | 'secret-forbidden' // the service account may not use it
  | 'secret-unreadable' // the Kubernetes API does not give or take it
  | 'secret-unfit' // what it holds is not for this name
  | 'not-kept' // what was issued is not in it
  | 'unissued' // the TLS Secret is there, and nobody has put a certificate into it
  | 'expiring' // the certificate should have been renewed
  | 'behind' // tailscaled serves an older certificate than the Secret has
  | 'unserved' // tailscaled serves none, though the Secret has one
  | 'daemon' // tailscaled does not do as it is asked
  | 'other'

/** A problem for people: what is wrong, and what to do. */
export type Problem = { readonly reason: Reason; readonly text: string; readonly remedy: string }

const seeIssuer =
  'Look at the replica whose name ends in -0, which requests certificates: it must run, and its status says what blocks it.'

const remedies: Readonly<Record<Reason, string>> = {
  'not-running': 'Wait for the login; `culvert status` says what it waits for.',
  untagged: 'Log in with an auth key or OAuth client that has a tag: only tagged nodes host Tailscale Services.',
  'not-hosted':
    'Advertise the Service here, and approve this node as its host in the admin console, or let autoApprovers.services of the policy do it for the node’s tag.',
  'https-off': 'Enable HTTPS certificates in the admin console (DNS); the agent notices that.',
  'no-cert-domain':
    'Compare the name in the serve config with that of the Tailscale Service and the tailnet’s DNS name in the admin console.',
  'dns-challenge':
    'Check that the control server can be reached, and that the authority can resolve the record _acme-challenge of the name.',
  'acme-account': 'Remove acme-account.key.pem from the state Secret: a new account is created at the next start.',
  'rate-limit':
    'Wait: it is requested again when the authority allows it, also after a restart. Deleting the Pod or its Secrets makes it worse.',
  'authority-away':
    'Check that the Pod reaches acme-v02.api.letsencrypt.org on port 443 (network policies, proxies, their authorities).',
  'authority-unwell': 'Wait: it is requested again.',
  'authority-refuses': 'Do what the authority says, for example change a CAA record.',
  'secret-missing':
    'Create it, of type kubernetes.io/tls and with empty tls.crt and tls.key: its owner, the operator, must do that, since tailscaled does not.',
  'secret-forbidden': 'Grant the Pod’s service account get, list, patch and update on it.',
  'secret-unreadable': 'Check that the Pod reaches the Kubernetes API.',
  'secret-unfit': 'Empty its tls.crt and tls.key, and make sure that nothing else writes to it.',
  'not-kept': 'Make sure that nothing else writes to that Secret.',
  unissued: seeIssuer,
  expiring: seeIssuer,
  behind:
    'Once a day tailscaled reads the Secrets whose name ends in .ts.net, with the labels of its group, if it may list them; otherwise restart this Pod.',
  unserved: 'Restart this Pod: its tailscaled may keep an expired one until it reads the Secret again, once a day.',
  daemon: 'Look at tailscaled’s lines in the log.',
  other: 'Look at tailscaled’s lines in the log.',
}

export const problem = (reason: Reason, text: string): Problem => ({ reason, text, remedy: remedies[reason] })

/** The reason that an earlier run has noted; undefined if the word is not a reason. */
export const reasonFrom = (text: string): Reason | undefined => (isReason(text) ? text : undefined)

const isReason = (text: string): text is Reason => Object.hasOwn(remedies, text)

/** One line with all of it. */
export const describeProblem = ({ text, remedy }: Problem): string => `${text}. ${remedy}`
