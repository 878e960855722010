import type { FlagType } from '../../lib/flags.ts'

export type Command = {
  readonly says: string
  readonly flags: Readonly<Record<string, { readonly type: FlagType; readonly says: string }>>
  /** What its argument can be, which it needs. */
  readonly words?: readonly string[]
}

const socket = { 'culvert-socket': { type: 'value', says: 'the socket, instead of CULVERT_SOCKET' } } as const

/** All commands; the flags of `run` are the settings. */
export const commands = {
  run: { says: 'run the agent: the same as without a command', flags: {} },
  status: {
    says: 'what is running, forwarded and wrong',
    flags: { json: { type: 'boolean', says: 'for programs' }, ...socket },
  },
  ready: {
    says: 'exit code 0 when traffic flows, else 1 and the reasons',
    flags: { verbose: { type: 'boolean', says: 'every check' }, ...socket },
  },
  live: { says: 'exit code 0 when the agent answers and does not hang, else 1', flags: socket },
  'check-image': {
    says: 'exit code 0 when the tailscaled here is the one that the agent is made for; run by the image’s build',
    flags: {},
  },
  completion: {
    says: 'what has a shell complete commands and flags: source <(culvert completion bash)',
    flags: {},
    words: ['bash', 'zsh', 'fish'],
  },
  version: { says: 'the version', flags: {} },
  help: { says: 'commands and settings', flags: {} },
} as const satisfies Readonly<Record<string, Command>>

export type CommandName = keyof typeof commands

export const isCommand = (name: string): name is CommandName => Object.hasOwn(commands, name)
