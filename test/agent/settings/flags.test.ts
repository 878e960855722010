import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Environment } from '../../../agent/settings/env-reader.ts'
import { readFlags } from '../../../agent/settings/flags.ts'
import { readSettings } from '../../../agent/settings/read.ts'
import { flagOf } from '../../../agent/settings/variable.ts'
import { variables } from '../../../agent/settings/variables.ts'

describe('the name of a flag', () => {
  it.each([
    ['TS_DEST_IP', 'dest-ip'],
    ['TS_AUTHKEY', 'authkey'],
    ['POD_IP', 'pod-ip'],
    ['PORT', 'port'],
    ['TS_SOCKET', 'socket'],
    ['CULVERT_SOCKET', 'culvert-socket'],
    ['TS_EXPERIMENTAL_CERT_SHARE', 'experimental-cert-share'],
    ['TS_TEST_FAKE_NETFILTER_6', 'test-fake-netfilter-6'],
  ])('%s is --%s', (name, flag) => expect(flagOf(name)).toBe(flag))

  it('is unique, and no flag of a command', () => {
    const names = variables.map(({ name }) => flagOf(name))
    expect(new Set([...names, 'help', 'version']).size).toBe(names.length + 2)
  })
})

describe('reads flags', () => {
  it.each<[readonly string[], Environment, Environment]>([
    [[], { TS_HOSTNAME: 'a', PATH: '/bin' }, { TS_HOSTNAME: 'a', PATH: '/bin' }],
    [['--hostname=b'], {}, { TS_HOSTNAME: 'b' }],
    [['--hostname=b', '--hostname', 'c'], { TS_HOSTNAME: 'a', PATH: '/bin' }, { TS_HOSTNAME: 'c', PATH: '/bin' }],
    [['--hostname='], { TS_HOSTNAME: 'a' }, { TS_HOSTNAME: '' }],
    [['--routes='], {}, { TS_ROUTES: '' }],
    [['--userspace=false', '--auth-once'], {}, { TS_USERSPACE: 'false', TS_AUTH_ONCE: 'true' }],
    [['--extra-args=--accept-routes --ssh'], {}, { TS_EXTRA_ARGS: '--accept-routes --ssh' }],
    [['--authkey=file:/run/key'], {}, { TS_AUTHKEY: 'file:/run/key' }],
    // The older name takes precedence over the variable of the newer one, too.
    [['--auth-key', 'file:/run/key'], { TS_AUTHKEY: 'a' }, { TS_AUTHKEY: 'file:/run/key' }],
    [['--authkey='], { TS_AUTHKEY: 'a' }, { TS_AUTHKEY: '' }],
    [['--extra-args=--auth-key=file:/run/key'], {}, { TS_EXTRA_ARGS: '--auth-key=file:/run/key' }],
  ])('%j over the environment %j', (args, env, expected) => {
    expect(readFlags(args, env).env).toEqual(expected)
  })

  it('names the variables for which a flag gives another value', () => {
    const env = { TS_HOSTNAME: 'a', TS_ROUTES: '10.0.0.0/8', TS_DEST_IP: '', POD_IP: '10.0.0.1' }
    const args = ['--hostname=b', '--routes=10.0.0.0/8', '--dest-ip=10.0.0.1', '--pod-ip=', '--authkey=file:/key']
    expect(readFlags(args, env).hidden).toEqual(['TS_HOSTNAME', 'POD_IP'])
    expect(readFlags(['--auth-key=file:/key'], { TS_AUTHKEY: 'a' }).hidden).toEqual(['TS_AUTHKEY'])
  })

  it('reads a flag as it reads its variable', () => {
    const plausible = [
      'true',
      '0',
      '10.0.0.1',
      'fd00::1:9002',
      '[::]:9002',
      '10.0.0.0/8',
      '60s',
      'a.b.ts.net',
      '/x',
      '',
    ]
    const value = fc.oneof(fc.constantFrom(...plausible), fc.string({ unit: 'binary' }))
    const base = fc.constantFrom<Environment>({}, { TS_USERSPACE: 'false' }, { KUBERNETES_SERVICE_HOST: '10.96.0.1' })
    fc.assert(
      fc.property(
        fc.constantFrom(...variables),
        value,
        base,
        fc.boolean(),
        ({ name, type, secret }, text, env, separate) => {
          const given = secret === true ? `file:${text}` : text
          const flag = `--${flagOf(name)}`
          const args = separate && type !== 'boolean' && !given.startsWith('-') ? [flag, given] : [`${flag}=${given}`]
          expect(settingsOf(readFlags(args, env).env)).toEqual(settingsOf({ ...env, [name]: given }))
        },
      ),
      { numRuns: 3000 },
    )
  })
})

/** The settings, or that they are refused. */
function settingsOf(env: Environment): unknown {
  try {
    return readSettings(env).settings
  } catch {
    return 'refused'
  }
}

describe('names settings in a text as they were set', () => {
  it.each([
    [['--dest-ip=x'], {}, '--dest-ip="x" is not valid: "x" is no IP address'],
    [['--userspace=false'], { TS_DEST_IP: 'x' }, 'TS_DEST_IP="x" is not valid: "x" is no IP address'],
    [
      ['--dest-ip=10.0.0.1', '--userspace'],
      {},
      '--dest-ip=10.0.0.1 is not supported with --userspace=true: set --userspace=false, or set CULVERT_DEST_PORTS to the ports to forward',
    ],
    [['--client-id=i'], { TS_AUTHKEY: 'file:/key' }, 'TS_AUTHKEY excludes --client-id: set one way to log in'],
    [['--auth-key=file:/key'], { TS_CLIENT_ID: 'i' }, '--auth-key excludes TS_CLIENT_ID: set one way to log in'],
    [['--local-addr-port=:1', '--enable-metrics'], {}, '--local-addr-port=":1" is not valid'],
    [['--experimental-dest-dns-name=a..b'], {}, '--experimental-dest-dns-name="a..b" is not valid: it has a part'],
  ])('%j over %j: %s', (args, over, message) => {
    const { env, named } = readFlags(args, { TS_USERSPACE: 'false', ...over })
    expect(named(refused(env))).toContain(message)
  })
})

function refused(env: Environment): string {
  try {
    readSettings(env)
  } catch (error) {
    return (error as Error).message
  }
  return 'settings'
}

describe('refuses', () => {
  it.each([
    ['--dst-ip=10.0.0.1', /^there is no flag --dst-ip: did you mean --dest-ip\?$/],
    ['--TS_DEST_IP=10.0.0.1', /^there is no flag --TS_DEST_IP: did you mean --dest-ip\?$/],
    ['--ts-hostname=a', /did you mean --hostname\?$/],
    ['--accept-routes', /did you mean --extra-args=--accept-routes\?$/],
    ['--advertise-routes=10.0.0.0/8', /did you mean --routes\?$/],
    ['--login-server=https://a.test', /did you mean --extra-args=--login-server=URL\?$/],
    ['--auth-key-file=/key', /did you mean --authkey=file:PATH\?$/],
    ['--oauth-secret=hidden', /did you mean --client-secret\?$/],
    ['--constructor', /^there is no flag --constructor$/],
  ])('%s', (arg, message) => {
    expect(() => readFlags([arg], {})).toThrow(expect.objectContaining({ message: expect.stringMatching(message) }))
  })

  it.each([
    ['--authkey=tskey-auth-hidden'],
    ['--auth-key=hidden'],
    ['--authkey=/run/hidden'],
    ['--authkey', 'hidden'],
    ['--client-secret=hidden'],
    ['--id-token', 'hidden'],
    ['--extra-args=--ssh --auth-key=hidden'],
    ['--extra-args=--client-secret hidden'],
    ['--hostname=tskey-auth-hidden'],
    ['--hostname=hskey-auth-hidden'],
    ['--authkye=hidden'],
    ['--authkey=file:/key', 'hidden'],
    ['--userspace', 'hidden'],
    ['hidden'],
  ])('a secret as an argument, without showing it: %s %s', (...args) => {
    expect(() => readFlags(args, {})).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.not.stringContaining('hidden') }),
    )
  })
})
