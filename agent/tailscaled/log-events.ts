import { logEvents } from '../../lib/log-event.ts'

export const events = logEvents('tailscaled', {
  line: {
    text: '{line}',
    meaning:
      'A line of tailscaled, with `source` `tailscaled`. Only in JSON: in text, tailscaled writes its lines itself. The level is `error` for the first line of a crash, `warn` for warnings, health warnings and what tailscaled marks `[unexpected]`, otherwise `info`: it tells no levels itself.',
  },
  hung: {
    text: 'tailscaled has not answered for {seconds} s: it is killed',
    level: 'warn',
    meaning: 'tailscaled hangs, and is started again.',
    remedy: 'See its own lines before; is the Pod’s limit of CPU or memory reached?',
  },
  noSocket: {
    text: 'tailscaled has not opened its socket for {seconds} s: it is killed',
    level: 'warn',
    meaning: 'tailscaled does not come up, and is started again.',
    remedy: 'See its own lines before.',
  },
  startedAgain: {
    text: '{how}; it is started again in {ms} ms (restart {restarts})',
    level: 'warn',
    meaning: 'tailscaled has ended. Rules and connections of kernel mode stay meanwhile.',
    remedy: 'See its own lines before.',
  },
  refused: {
    text: 'tailscaled: {message}',
    level: 'warn',
    meaning: 'tailscaled reports an error to its clients, such as a refused login.',
    remedy: 'As the message says.',
  },
  unreadable: {
    text: 'bus: {problem}',
    level: 'warn',
    meaning: 'A message of tailscaled’s bus could not be read; the others are.',
    remedy: 'Report the line, with tailscaled’s version.',
  },
  busLost: {
    text: 'bus: {problem}; still trying',
    level: 'warn',
    meaning: 'tailscaled’s changes cannot be followed at the moment; the state is asked for from time to time.',
    remedy: 'If it lasts, see tailscaled’s own lines.',
  },
  noStatus: {
    text: 'status: {problem}',
    level: 'warn',
    meaning: 'tailscaled does not tell its status as it should; it is still followed on the bus.',
    remedy: 'Report the line, with tailscaled’s version.',
  },
  version: {
    text: 'warning: {problem}',
    meaning:
      'This release of tailscaled is not known here, is not the one in the image’s record, or ignores a setting.',
    remedy: 'As the message says; [the image](image.md) lists the releases.',
  },
  withoutGso: {
    text: 'tailscaled does without UDP segmentation offload: {reason}',
    meaning:
      'tailscaled sends each packet by itself, which takes up to twice the processor time, and loses none where offloading is broken: see [`CULVERT_UDP_GSO`](settings.md#tailscaled).',
    remedy: 'None is needed. If your kernel has the fix, `CULVERT_UDP_GSO=on` is faster.',
  },
  groSet: { text: 'UDP GRO forwarding is set up', meaning: 'The Pod’s device forwards UDP in larger pieces.' },
  groWarning: {
    text: 'warning: UDP GRO forwarding: {problem}',
    meaning: 'tailscaled could not improve the forwarding of UDP. Traffic flows without it.',
    remedy: 'None is needed.',
  },
  groFailed: {
    text: 'warning: UDP GRO forwarding is not set up: {problem}',
    meaning: 'The same; tailscaled did not answer as it should.',
    remedy: 'None is needed.',
  },
  reloads: {
    text: 'tailscaled is stopped; it reloads its config, which starts it',
    meaning: 'One-step mode: somebody has run `tailscale down`.',
  },
})

export const login = logEvents('login', {
  output: {
    text: 'tailscale {command}: {line}',
    meaning: 'A line of `tailscale up` or `set`, without secrets; the URL to log in at is one of them.',
  },
  again: {
    text: 'tailscaled’s state is {state}: logging in again',
    level: 'warn',
    meaning: 'The node was logged out or stopped.',
    remedy: 'If it repeats, see whether the node’s key has expired or the node was removed.',
  },
  reset: {
    text: 'the node has {flags} of an earlier run, which the environment does not set any more: reset to the defaults',
    meaning: '`tailscale up --reset` is run.',
  },
  atLoginOnly: {
    text: 'TS_EXTRA_ARGS: {flags} takes effect at a login alone, and with TS_AUTH_ONCE this node does not log in again',
    level: 'warn',
    meaning: 'These arguments have no effect on a node that is logged in.',
    remedy: 'Remove them, or unset `TS_AUTH_ONCE`.',
  },
  keyNotNeeded: {
    text: '{problem}; the node is logged in already, so that it is not needed',
    level: 'warn',
    meaning: 'The file with the auth key cannot be read.',
    remedy: 'Mount it again before the node has to log in anew.',
  },
  advertisedAgain: {
    text: 'advertised again, as before the login: {services}',
    meaning: 'Tailscale Services that `tailscale up` had withdrawn.',
  },
  notAdvertised: {
    text: 'not advertised any more, unless the serve config has them: {services}; `tailscale serve advertise NAME` brings one back',
    meaning: '`tailscale up` has withdrawn these Tailscale Services.',
    remedy: 'Add them to the serve config, if they are wanted.',
  },
  mayBeWithdrawn: {
    text: 'warning: {services} may not be advertised any more: {problem}',
    meaning: 'After a login, tailscaled did not tell or take what is advertised.',
    remedy: '`tailscale serve status` in the container shows it.',
  },
  asksForKey: {
    text: 'login failed: {problem}; asking for another auth key through {key} of Secret "{secret}"',
    level: 'warn',
    meaning: 'One-step mode: the auth key was refused.',
    remedy: 'An operator answers by itself; otherwise put a fresh auth key into the config file.',
  },
  stillConnected: {
    text: 'warning: tailscaled could not be disconnected from the control server: {problem}',
    meaning: 'The node may come back by itself before it has another key.',
    remedy: 'None is needed.',
  },
  watchesForKey: {
    text: 'watching for config changes via fsnotify',
    awaited: true,
    meaning: 'The agent waits for another auth key in the config file.',
  },
  hasKey: {
    text: 'Successfully received new auth key, restarting to apply configuration',
    awaited: true,
    meaning: 'It has arrived: the agent ends with exit code 0, and logs in at its next start.',
  },
})
