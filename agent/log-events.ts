import { logEvents } from '../lib/log-event.ts'

export const events = logEvents('agent', {
  begins: { text: 'culvert agent {version}', meaning: 'The agent has started.' },
  hiddenVariables: {
    text: 'flags take precedence over the environment; not used: {variables}',
    meaning: 'These variables have another value than the flag of the same setting.',
    remedy: 'Remove one of the two.',
  },
  setting: {
    text: 'warning: {problem}',
    meaning: 'A setting, or a file of the image, is probably not as it was meant. The agent goes on without it.',
    remedy: 'As the message says. [Common mistakes](coming-from-tailscale.md#mistakes-and-what-the-agent-says)',
  },
  complete: {
    text: 'Startup complete, waiting for shutdown signal',
    awaited: true,
    meaning: 'The node is in the tailnet, and every part has made its first attempt.',
  },
  closed: { text: '{endpoint} closed', awaited: true, meaning: 'An endpoint is closed, at the end of the stop.' },
  listenerFailed: {
    text: 'error: {problem}',
    meaning: 'A bug: a part of the agent failed when something changed. It is called again at the next change.',
    remedy: 'Report the line.',
  },
  bug: {
    text: 'error: {problem}',
    meaning: 'A bug: the agent stops in order, and kubelet starts it again.',
    remedy: 'Report the line.',
  },
})
