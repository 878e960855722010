import { describe as suite, expect, it } from 'vitest'
import { readSettings } from '../../../agent/settings/read.ts'
import { explainFailure, type UpFailure } from '../../../agent/tailscaled/up-failure.ts'
import { describe } from '../../../lib/errors.ts'

/** Explains a failure of `up` with this environment, which printed these lines. */
function explain(env: Record<string, string>, ...lines: string[]): UpFailure {
  const { settings } = readSettings(env)
  const printed = { first: lines.slice(0, 5), last: lines.slice(-5) }
  return explainFailure('up', printed, 'tailscale ended with exit code 1', settings.up)
}

const usage = ['Connect to Tailscale, logging in if needed', 'USAGE', '  tailscale up [flags]']

suite('a value that can never work is named with its variable and what to write', () => {
  it.each<[Record<string, string>, string, string]>([
    [
      { TS_EXTRA_ARGS: '--acept-routes' },
      'flag provided but not defined: -acept-routes',
      'TS_EXTRA_ARGS is not valid: tailscale up has no flag --acept-routes. Remove it, or correct its name: `tailscale up --help` lists the flags.',
    ],
    [
      { TS_EXTRA_ARGS: '--port=41641' },
      'flag provided but not defined: -port',
      'TS_EXTRA_ARGS is not valid: tailscale up has no flag --port. It is a flag of tailscaled: move it to TS_TAILSCALED_EXTRA_ARGS.',
    ],
    [
      { TS_EXTRA_ARGS: '--auto-update' },
      'flag provided but not defined: -auto-update',
      'TS_EXTRA_ARGS is not valid: tailscale up has no flag --auto-update. It is a flag of tailscale set, which can be run in the container once the node is logged in.',
    ],
    [
      { TS_EXTRA_ARGS: '--operator' },
      'flag needs an argument: -operator',
      'TS_EXTRA_ARGS is not valid: --operator has no value. Write --operator=VALUE.',
    ],
    [
      { TS_EXTRA_ARGS: '--ssh=maybe' },
      'invalid boolean value "maybe" for -ssh: parse error',
      'TS_EXTRA_ARGS is not valid: --ssh cannot have the value "maybe". Write --ssh or --ssh=false.',
    ],
    [
      { TS_EXTRA_ARGS: '--ssh="true"' },
      'invalid boolean value "\\"true\\"" for -ssh: parse error',
      'TS_EXTRA_ARGS is not valid: --ssh cannot have the value "\\"true\\"". Leave the quotes out: the value is split at white space, and quotes are passed on as they are.',
    ],
    [
      { TS_EXTRA_ARGS: '-accept-dns=true' },
      'invalid boolean value "true" for -accept-dns: flag provided multiple times',
      'TS_EXTRA_ARGS is not valid: --accept-dns is there twice. Write it once, with two hyphens; TS_ACCEPT_DNS, TS_HOSTNAME, TS_ROUTES and the keys are flags as well.',
    ],
    [
      { TS_EXTRA_ARGS: '--timeout=5' },
      'invalid value "5" for flag -timeout: parse error',
      'TS_EXTRA_ARGS is not valid: --timeout cannot have the value "5". `tailscale up --help` says what it takes.',
    ],
    [
      { TS_EXTRA_ARGS: '--ssh true' },
      'too many non-flag arguments: ["true"]',
      'TS_EXTRA_ARGS is not valid: true is not a flag. A flag that is on or off takes no value of its own: write --flag or --flag=false.',
    ],
    [
      { TS_EXTRA_ARGS: '"--ssh"' },
      'too many non-flag arguments: ["\\"--ssh\\""]',
      'TS_EXTRA_ARGS is not valid: "--ssh" is not a flag. Leave the quotes out: the value is split at white space, and quotes are passed on as they are.',
    ],
    [
      { TS_EXTRA_ARGS: 'ssh --reset' },
      'too many non-flag arguments: ["ssh" "--reset"]',
      'TS_EXTRA_ARGS is not valid: ssh is not a flag. Flags begin with "--", and values follow "=".',
    ],
    [
      { TS_ROUTES: '10.0.0.1/24' },
      '10.0.0.1/24 has non-address bits set; expected 10.0.0.0/24',
      'TS_ROUTES is not valid: the route 10.0.0.1/24 is not the address of a network. Write 10.0.0.0/24.',
    ],
    [
      { TS_EXTRA_ARGS: '--advertise-routes=fd00::1/64' },
      'fd00::1/64 has non-address bits set; expected fd00::/64',
      'TS_EXTRA_ARGS is not valid: the route fd00::1/64 is not the address of a network. Write fd00::/64.',
    ],
    [
      { TS_ROUTES: '10.0.0.0/24, 10.1.0.0/24' },
      '" 10.1.0.0/24" is not a valid IP address or CIDR prefix',
      'TS_ROUTES is not valid: " 10.1.0.0/24" is not a route. Separate routes by commas alone, without spaces.',
    ],
    [
      { TS_ROUTES: 'home' },
      '"home" is not a valid IP address or CIDR prefix',
      'TS_ROUTES is not valid: "home" is not a route. Write networks such as 10.0.0.0/24 or fd00::/64, separated by commas.',
    ],
    [
      { TS_ROUTES: '0.0.0.0/0' },
      '0.0.0.0/0 advertised without its IPv6 counterpart, please also advertise ::/0',
      'TS_ROUTES is not valid: 0.0.0.0/0 without ::/0 makes no exit node. Write both: 0.0.0.0/0,::/0.',
    ],
    [
      { TS_HOSTNAME: 'my_host' },
      '"my_host" is not a valid DNS label: contains invalid character \'_\'',
      "TS_HOSTNAME is not valid: \"my_host\" cannot be the node's name: it contains invalid character '_'. Use letters, digits and hyphens, 63 at most.",
    ],
    [
      { TS_EXTRA_ARGS: '--advertise-tags=tag:' },
      'tag: "tag:": tag names must not be empty',
      'TS_EXTRA_ARGS is not valid: the tag "tag:" is not valid: tag names must not be empty. Write tag:NAME.',
    ],
    [
      { TS_EXTRA_ARGS: '--netfilter-mode=foo' },
      'invalid value --netfilter-mode="foo"',
      'TS_EXTRA_ARGS is not valid: --netfilter-mode="foo" is not a mode. Write on, off or nodivert.',
    ],
    [
      { TS_EXTRA_ARGS: '--exit-node-allow-lan-access' },
      '--exit-node-allow-lan-access can only be used with --exit-node',
      'TS_EXTRA_ARGS is not valid: --exit-node-allow-lan-access can only be used with --exit-node. Set both, or neither.',
    ],
  ])('%j', (env, line, text) => {
    const failure = explain(env, line, ...usage)
    expect(failure.kind).toBe('settings')
    expect(failure.kind === 'settings' && [failure.error.code, describe(failure.error)]).toEqual(['settings', text])
  })
})

it.each([
  [{ TS_AUTHKEY: 'file:/run/key' }, 'TS_AUTHKEY'],
  [{ TS_CLIENT_SECRET: 'file:/run/key' }, 'TS_CLIENT_SECRET'],
  [{ TS_EXTRA_ARGS: '--auth-key=file:/run/key' }, 'TS_EXTRA_ARGS'],
] as const)('a key file that is not there is named with its variable: %j', (env, variable) => {
  const failure = explain(env, 'open /run/key: no such file or directory')
  expect(failure.kind === 'key-file' && describe(failure.error)).toBe(
    `${variable} names the file /run/key, which cannot be read: no such file or directory. Mount it, or correct the path.`,
  )
})

it('settings of an earlier run are named, but for those that this one has', () => {
  const failure = explain(
    { TS_HOSTNAME: 'new', TS_AUTHKEY: 'tskey-auth-x', TS_EXTRA_ARGS: '--ssh' },
    "Error: changing settings via 'tailscale up' requires mentioning all",
    'non-default flags. To proceed, either re-run your command with --reset or',
    'use the command below to explicitly mention the current value of',
    'all non-default settings:',
    "tailscale up --auth-key=(secret) --accept-dns=false --hostname=new --accept-routes --advertise-routes=10.0.0.0/8 --operator='a b' --ssh",
  )
  expect(failure).toEqual({
    kind: 'reverts',
    flags: ['--accept-routes', '--advertise-routes=10.0.0.0/8', "--operator='a b'"],
  })
})

it('what is not known is told in its last words, or by how it ended', () => {
  const words = explain({}, 'backend error: invalid key: API key does not exist')
  expect(words.kind === 'other' && describe(words.error)).toBe(
    'tailscale up failed: backend error: invalid key: API key does not exist',
  )
  const silent = explain({})
  expect(silent.kind === 'other' && describe(silent.error)).toBe(
    'tailscale up failed: tailscale ended with exit code 1',
  )
})
