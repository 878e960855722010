import { logEvents } from '../../lib/log-event.ts'

export const events = logEvents('start', {
  waits: {
    text: 'not connected to the tailnet yet: {problem}',
    meaning: 'What start-up waits for; told again from time to time.',
    remedy: 'As the message says: log in, approve the node, or see why the control server cannot be reached.',
  },
  kernel: {
    text: 'warning: {problem}',
    meaning: 'The kernel or the Pod lacks something that a part of the traffic needs, such as forwarding of IPv6.',
    remedy: 'As the message says; [Kubernetes](kubernetes.md) lists what a Pod needs.',
  },
  noLink: {
    text: 'warning: {link} cannot be linked to {socket}: {problem}',
    meaning: '`tailscale` in the container finds tailscaled only with `--socket`.',
    remedy: 'Make `/var/run` writable, or give `--socket`.',
  },
  noRules: {
    text: 'no forwarding rules for egress addresses [{addresses}], host supports IPv6: {ipv6}',
    level: 'error',
    awaited: true,
    meaning: 'No target of L3 egress is of an address family that can be forwarded here; the agent ends.',
    remedy: 'Give a target of a family that the node has.',
  },
})

export const stopping = logEvents('stop', {
  stageFailed: {
    text: 'warning: {stage}: {problem}',
    meaning: 'A stage of the stop failed or took too long; the next ones follow all the same.',
    remedy: 'As the message says. If a Pod’s stop is often cut short, raise `terminationGracePeriodSeconds`.',
  },
})
