import type { Event } from '../../kube/controller/events.ts'

/** What the agent writes instead of a name. */
export const noHttps = 'no-https'

/** To be told when a node that has it is to serve HTTPS; `what` is that of its sites. */
export const httpsNotEnabled = (what: string): Event => ({
  type: 'Warning',
  reason: 'HTTPSNotEnabled',
  message: `the tailnet gives this node no certificate, so ${what}: switch on MagicDNS and HTTPS certificates, in the admin console under DNS`,
})
