import { logEvents } from '../../lib/log-event.ts'

export const events = logEvents('relay', {
  forwards: {
    text: 'forwarding {ports} of the node to {targets}, {how}',
    meaning: 'L3 ingress that the agent and tailscaled forward themselves, without rules of a firewall.',
  },
  problem: {
    text: 'warning: {problem}',
    meaning: 'A port is not forwarded, or more clients send datagrams than are remembered.',
    remedy: 'As the message says.',
  },
})
