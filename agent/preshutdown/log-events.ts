import { logEvents } from '../../lib/log-event.ts'

export const events = logEvents('preshutdown', {
  noUrls: {
    text: 'preshutdown: there are no health URLs to ask',
    meaning: 'A preStop hook waits only for the time that nodes need to route elsewhere.',
  },
  asks: {
    text: 'preshutdown: waiting until no service routes to this Pod any more ({services})',
    meaning: 'A preStop hook waits until so many services lead elsewhere.',
  },
  waits: { text: 'preshutdown: waiting for {services}', meaning: 'What it still waits for, with the last answers.' },
  assumed: {
    text: 'preshutdown: warning: assuming that these no longer route here: {services}',
    level: 'warn',
    meaning: 'Their health URLs do not answer, or say nothing of a Pod.',
    remedy: 'See whether the services have endpoints, and whether a network policy keeps the Pod from them.',
  },
  givenUp: {
    text: 'preshutdown: warning: not waiting for these any longer: {services}',
    level: 'warn',
    meaning: 'They still led here when the time was over; their connections are cut when the Pod ends.',
    remedy: 'See why the cluster does not take the Pod out of these services.',
  },
  done: {
    text: 'preshutdown: no service routes to this Pod any more, after {seconds} s',
    meaning: 'All services lead elsewhere.',
  },
  settles: {
    text: 'preshutdown: waiting another {seconds} s for all nodes to route elsewhere',
    meaning: 'Other nodes of the cluster learn of it a little later.',
  },
  safe: { text: 'preshutdown: safe to terminate', meaning: 'The preStop hook is over, and the Pod may end.' },
  stopped: { text: 'preshutdown: ended, since the agent stops', meaning: 'SIGTERM has come before the wait was over.' },
  unwanted: {
    text: 'preshutdown: ended, since nobody waits any more',
    meaning: 'Who asked has gone; nothing else was changed.',
  },
})
