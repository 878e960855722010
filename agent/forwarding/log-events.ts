import { logEvents } from '../../lib/log-event.ts'

export const events = logEvents('forwarding', {
  toBackends: {
    text: 'forwarding {address} to {backends}',
    meaning: 'L3 ingress: what is sent to this address of the node goes to these backends.',
  },
  portsToBackends: {
    text: 'forwarding {ports} of {address} to {backends}',
    meaning: 'The same, of these ports only.',
  },
  fromCluster: {
    text: 'forwarding IPv{family} from the cluster to {target}, all ports but {exempt}',
    meaning: 'L3 egress: what the cluster sends to the Pod goes to this target in the tailnet.',
  },
  services: {
    text: 'forwarding {count} of {all} services',
    meaning: 'ProxyGroup: for so many services there are rules; of the others, other lines say why not.',
  },
  unmasked: {
    text: 'masquerade is off, as tailscaled’s NoSNAT preference says: backends see tailnet addresses and need a route back',
    meaning: 'Backends see the clients’ own addresses.',
    remedy: 'Give the backends’ network a route to 100.64.0.0/10 by way of the Pod, or remove `DisableSNAT`.',
  },
  problem: {
    text: 'warning: {problem}',
    meaning: 'A target, service or port is not forwarded, and why. The others are.',
    remedy: 'As the message says.',
  },
  unasked: {
    text: 'warning: cannot find out whether {address} answers: {problem}',
    meaning: 'tailscaled did not ping a target of the tailnet; it is forwarded to.',
    remedy: 'If it repeats, see the lines of tailscaled.',
  },
  silent: {
    text: 'warning: no answer within {seconds} s, so that connections to these may hang: {addresses}',
    meaning: 'Targets of the tailnet do not answer pings.',
    remedy: '`tailscale ping ADDRESS` in the container: is the node on, and do the access rules let this one reach it?',
  },
  reset: {
    text: '{count} open connections reset; waiting {seconds} s for nodes to forget that they led here',
    meaning: 'A replica stops: its clients connect anew, to the other replicas.',
  },
})
