import type { FlagType } from '../../lib/flags.ts'

type CommandFlag = {
  readonly type: FlagType
  readonly summary: string
  /** Of a value; a path by default. */
  readonly values?: 'any'
}

export type Command = {
  readonly summary: string
  readonly flags: Readonly<Record<string, CommandFlag>>
  /** Whether it takes the flags of `run`, too. */
  readonly settings?: true
  /** What its arguments are, in order, which are required. */
  readonly positionals?: readonly string[]
  /** The values of its one argument, which is required. */
  readonly words?: readonly string[]
}

const socket = {
  'culvert-socket': { type: 'value', summary: 'the agent’s socket, instead of CULVERT_SOCKET' },
} as const

/** All commands; the flags of `run` are the settings. */
export const commands = {
  run: { summary: 'run the agent; the same as without a command', flags: {} },
  status: {
    summary: 'show what is running, what is forwarded and what is wrong',
    flags: { json: { type: 'boolean', summary: 'print JSON' }, ...socket },
  },
  ready: {
    summary: 'exit with 0 if traffic flows, else with 1 and the reasons',
    flags: { verbose: { type: 'boolean', summary: 'print every check' }, ...socket },
  },
  live: { summary: 'exit with 0 if the agent answers and does not hang, else with 1', flags: socket },
  ruleset: {
    summary: 'say what the rules of the firewall mean: from where, by which mapping, to where',
    flags: {
      dot: { type: 'boolean', summary: 'print a picture in the language of Graphviz' },
      svg: { type: 'boolean', summary: 'print that picture as SVG' },
      json: { type: 'boolean', summary: 'print JSON' },
      raw: { type: 'boolean', summary: 'print the rules as nft or iptables list them' },
      ...socket,
    },
  },
  trace: {
    summary: 'say what becomes of a packet, such as tcp 100.64.0.9:80, and which rule decides that',
    positionals: ['PROTOCOL', 'ADDRESS:PORT'],
    flags: {
      from: {
        type: 'value',
        values: 'any',
        summary: 'where it comes from: tailnet or cluster; by default tailnet for an address of the tailnet',
      },
      live: { type: 'boolean', summary: 'also show packets that come now, rule by rule, as nft follows them' },
      seconds: { type: 'value', values: 'any', summary: 'how long they are awaited, 10 by default' },
      json: { type: 'boolean', summary: 'print JSON' },
      ...socket,
    },
  },
  check: {
    summary: 'look for what is wrong, and say how it was found and what to do; exit with 1 if something is',
    flags: {
      preflight: { type: 'boolean', summary: 'before the start: without the running agent and tailscaled' },
      transfer: {
        type: 'value',
        values: 'any',
        summary: 'measure a transfer of three seconds to an address and port of the tailnet, where something reads',
      },
      json: { type: 'boolean', summary: 'print JSON' },
      ...socket,
    },
    settings: true,
  },
  'check-image': {
    summary: 'exit with 0 if tailscale and tailscaled are the version that the image’s build has recorded',
    flags: { record: { type: 'boolean', summary: 'record their version first; for the image’s build' } },
  },
  kubeconfig: {
    summary: 'write an entry for an API server proxy, by its name or URL, into the kubeconfig of kubectl',
    positionals: ['NAME'],
    flags: {
      kubeconfig: { type: 'value', summary: 'the file to change, instead of those of KUBECONFIG, or ~/.kube/config' },
      context: { type: 'value', values: 'any', summary: 'the name of the entry, instead of the proxy’s' },
      'set-current': { type: 'boolean', summary: 'make it the current context, also if there is one' },
      force: { type: 'boolean', summary: 'replace an entry of that name for something else' },
      socket: { type: 'value', summary: 'tailscaled’s socket, which tells the domain of the tailnet' },
    },
  },
  completion: {
    summary: 'print a completion script for a shell: source <(culvert completion bash)',
    flags: {},
    words: ['bash', 'zsh', 'fish'],
  },
  version: { summary: 'print the version', flags: {} },
  help: { summary: 'list commands and settings', flags: {} },
} as const satisfies Readonly<Record<string, Command>>

export type CommandName = keyof typeof commands

export const isCommand = (name: string): name is CommandName => Object.hasOwn(commands, name)
