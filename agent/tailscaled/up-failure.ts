import { CulvertError } from '../../lib/errors.ts'
import type { UpSettings } from '../settings/settings.ts'
import { flagName } from '../../lib/go-flags.ts'
import { whoseFlag } from '../settings/whose-flag.ts'

/** Why `tailscale up` or `tailscale set` failed. */
export type UpFailure =
  /** Settings of an earlier run that this one does not name: flags with their values. */
  | { readonly kind: 'reverts'; readonly flags: readonly string[] }
  /** A key file that cannot be read. */
  | { readonly kind: 'key-file'; readonly error: CulvertError }
  /** A value that can never work. */
  | { readonly kind: 'settings'; readonly error: CulvertError }
  | { readonly kind: 'other'; readonly error: CulvertError }

/** The output of a command, without empty lines and secrets. */
export type Printed = { readonly first: readonly string[]; readonly last: readonly string[] }

/** A reason and a remedy, for a flag that comes from `variable`. */
type Explanation = { readonly variable: string; readonly reason: string; readonly remedy: string }

const quotes = 'Leave the quotes out: the value is split at white space, and quotes are passed on as they are.'
const extra = 'TS_EXTRA_ARGS'

/** What to do about a flag that `tailscale up` does not know, by the command that has it. */
const remedies = {
  tailscaled: 'It is a flag of tailscaled: move it to TS_TAILSCALED_EXTRA_ARGS.',
  'tailscale set': 'It is a flag of tailscale set, which can be run in the container once the node is logged in.',
  'tailscale up': 'Remove it, or correct its name: `tailscale up --help` lists the flags.',
} as const

/** The variable that a flag comes from; flags with their own variable may be in TS_EXTRA_ARGS as well. */
function variableOf(flag: string, { extraArgs }: UpSettings): string {
  const isExtra = extraArgs.some((word) => flagName(word) === flag)
  const own: Readonly<Record<string, string>> = { 'advertise-routes': 'TS_ROUTES', hostname: 'TS_HOSTNAME' }
  return isExtra ? extra : (own[flag] ?? extra)
}

type Reader = (match: RegExpExecArray, up: UpSettings) => Explanation

/** First lines of the output of tailscale 1.80 to 1.104 for values that it cannot use, and their meaning. */
const readers: readonly (readonly [RegExp, Reader])[] = [
  [
    /^flag provided but not defined: -(\S+)$/,
    ([, flag = '']) => ({
      variable: extra,
      reason: `tailscale up has no flag --${flag}`,
      remedy: remedies[whoseFlag(flag) ?? 'tailscale up'],
    }),
  ],
  [
    /^flag needs an argument: -(\S+)$/,
    ([, flag = ''], up) => ({
      variable: variableOf(flag, up),
      reason: `--${flag} has no value`,
      remedy: `Write --${flag}=VALUE.`,
    }),
  ],
  [
    /^invalid (?:boolean )?value ".*" for (?:flag )?-(\S+): flag provided multiple times$/,
    ([, flag = '']) => ({
      variable: extra,
      reason: `--${flag} is there twice`,
      remedy: 'Write it once, with two hyphens; TS_ACCEPT_DNS, TS_HOSTNAME, TS_ROUTES and the keys are flags as well.',
    }),
  ],
  [
    /^invalid (boolean )?value (".*") for (?:flag )?-(\S+): /,
    ([, boolean, value = '', flag = ''], up) => ({
      variable: variableOf(flag, up),
      reason: `--${flag} cannot have the value ${value}`,
      remedy: /^"(?:\\"|')/.test(value)
        ? quotes
        : boolean === undefined
          ? '`tailscale up --help` says what it takes.'
          : `Write --${flag} or --${flag}=false.`,
    }),
  ],
  [
    /^too many non-flag arguments: \["(.*)"\]$/,
    ([, words = '']) => {
      const first = words.split('" "')[0] ?? ''
      return {
        variable: extra,
        reason: `${first.replaceAll('\\"', '"')} is not a flag`,
        remedy: /^(?:\\"|')/.test(first)
          ? quotes
          : /^(?:true|false)$/.test(first)
            ? 'A flag that is on or off takes no value of its own: write --flag or --flag=false.'
            : 'Flags begin with "--", and values follow "=".',
      }
    },
  ],
  [
    /^(\S+) has non-address bits set; expected (\S+)$/,
    ([, route = '', meant = ''], up) => ({
      variable: variableOf('advertise-routes', up),
      reason: `the route ${route} is not the address of a network`,
      remedy: `Write ${meant}.`,
    }),
  ],
  [
    /^(".*") is not a valid IP address or CIDR prefix/,
    ([, route = ''], up) => ({
      variable: variableOf('advertise-routes', up),
      reason: `${route} is not a route`,
      remedy: /^" | "$/.test(route)
        ? 'Separate routes by commas alone, without spaces.'
        : 'Write networks such as 10.0.0.0/24 or fd00::/64, separated by commas.',
    }),
  ],
  [
    /^(\S+) advertised without its IPv([46]) counterpart, please also advertise (\S+)$/,
    ([, route = '', , other = ''], up) => ({
      variable: variableOf('advertise-routes', up),
      reason: `${route} without ${other} makes no exit node`,
      remedy: `Write both: ${route},${other}.`,
    }),
  ],
  [
    /^(".*") is not a valid DNS label: (.*)$/,
    ([, name = '', why = ''], up) => ({
      variable: variableOf('hostname', up),
      reason: `${name} cannot be the node's name: it ${why}`,
      remedy: 'Use letters, digits and hyphens, 63 at most.',
    }),
  ],
  [
    /^tag: (".*"): (.*)$/,
    ([, tag = '', why = '']) => ({
      variable: extra,
      reason: `the tag ${tag} is not valid: ${why}`,
      remedy: 'Write tag:NAME.',
    }),
  ],
  [
    /^(?:invalid value (--netfilter-mode=.*)|(--[a-z-]+ can only be used with --[a-z-]+))$/,
    ([, mode, pair]) => ({
      variable: extra,
      reason: mode === undefined ? String(pair) : `${mode} is not a mode`,
      remedy: mode === undefined ? 'Set both, or neither.' : 'Write on, off or nodivert.',
    }),
  ],
]

/** Explains why `tailscale COMMAND` failed, from its output. `ending`: how it ended, if it printed nothing. */
export function explainFailure(
  command: 'up' | 'set',
  { first, last }: Printed,
  ending: string,
  up: UpSettings,
): UpFailure {
  const reverts = revertedFlags([...first, ...last], up)
  if (reverts !== undefined) return { kind: 'reverts', flags: reverts }
  const [line = ''] = first
  const file = /^open (.*): (no such file or directory|permission denied|is a directory)$/.exec(line)
  if (file !== null) {
    const variable = keyVariable(file[1] ?? '', up)
    const message = `${variable} names the file ${file[1]}, which cannot be read: ${file[2]}`
    const remedy = 'Mount it, or correct the path.'
    return { kind: 'key-file', error: new CulvertError('settings', message, { remedy }) }
  }
  for (const [shape, read] of readers) {
    const match = shape.exec(line)
    if (match === null) continue
    const { variable, reason, remedy } = read(match, up)
    return { kind: 'settings', error: new CulvertError('settings', `${variable} is not valid: ${reason}`, { remedy }) }
  }
  const reason = last.length > 0 ? last.join('; ') : ending
  return { kind: 'other', error: new CulvertError('login', `tailscale ${command} failed: ${reason}`) }
}

/** The flags of the command that tailscale proposes, without those that we gave; undefined if it proposes none. */
function revertedFlags(lines: readonly string[], up: UpSettings): string[] | undefined {
  if (!/requires mentioning all non-default flags/.test(lines.join(' '))) return undefined
  const proposed = lines.find((line) => line.startsWith('tailscale up ')) ?? ''
  const given = new Set([
    'auth-key',
    'client-id',
    'client-secret',
    'id-token',
    'audience',
    'accept-dns',
    ...(up.routes === undefined ? [] : ['advertise-routes']),
    ...(up.hostname === '' ? [] : ['hostname']),
    ...up.extraArgs.map(flagName),
  ])
  // A value with spaces is quoted.
  const flags = proposed.match(/--(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? []
  return flags.filter((flag) => !given.has(flagName(flag)))
}

/** The variable that names a key file. */
function keyVariable(path: string, up: UpSettings): string {
  const all = [
    ['TS_AUTHKEY', up.authKey],
    ['TS_CLIENT_SECRET', up.clientSecret],
    ['TS_ID_TOKEN', up.idToken],
  ] as const
  return all.find(([, value]) => value === `file:${path}`)?.[0] ?? extra
}
