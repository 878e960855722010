import { logEvents } from '../lib/log-event.ts'

export const events = logEvents('firewall', {
  chosen: {
    text: 'firewall: {firewall}, since {reason}',
    meaning: 'What the agent writes its rules with. [Which one](firewall.md)',
  },
  changed: {
    text: 'the table inet {table} was changed by {program}: looking what is left of it',
    level: 'warn',
    meaning: 'Another program has changed the agent’s table; it is repaired.',
    remedy: 'If it repeats, stop that program from doing so.',
  },
  iptablesChanged: {
    text: 'the rules of iptables were changed by another program: {what}',
    level: 'warn',
    meaning: 'Another program has changed the agent’s rules; they are repaired.',
    remedy: 'If it repeats, find the program and stop it from doing so.',
  },
  monitorEnded: {
    text: 'warning: nft monitor ended ({why}); it is started again',
    meaning: 'Changes by others are noticed late until then.',
    remedy: 'If it repeats, see whether the Pod’s limit of memory is reached.',
  },
  flowsUnknown: {
    text: 'warning: connections are neither listed nor ended: {problem}',
    meaning: 'Connections whose target changes are not ended, since conntrack cannot be used.',
    remedy: 'Load `nf_conntrack_netlink` on the node, or add conntrack to the image.',
  },
  removedEarlier: {
    text: 'removed what an earlier agent of Culvert wrote with {program}',
    meaning: 'Another firewall was used before, in the same network namespace.',
  },
  removedOther: {
    text: 'removed what another agent left in this network namespace: {rules}',
    meaning: 'Rules of Tailscale’s agent, which ran in this Pod before. Connections go on.',
  },
  notSearched: {
    text: 'table {table} has {chains} chains: what another agent may have left in it is not looked for',
    meaning: 'The Pod shares the node’s network, with programs that have large tables.',
  },
})
