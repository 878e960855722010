import { describe, expect, it } from 'vitest'
import { readSettings } from '../../../agent/settings/read.ts'

const kernel = { TS_USERSPACE: 'false' }
const noName = /^TS_TAILSCALED_EXTRA_ARGS: --tun=".*" is no name of a device: 1 to 15 letters/

describe('the name of tailscaled’s device', () => {
  it.each<[string, string, string]>([
    ['the default', '--verbose=1', 'tailscale0'],
    ['with =', '--tun=ts0', 'ts0'],
    ['with one hyphen', '-tun=ts0', 'ts0'],
    ['as the next word', '--verbose 1 --tun ts0', 'ts0'],
    ['as the next word, with one hyphen', '-tun ts0 --verbose 1', 'ts0'],
    ['the last of several', '--tun=userspace-networking -tun ts0 --tun=ts1', 'ts1'],
    ['not another flag', '--tuning=ts0 ---tun=ts1', 'tailscale0'],
    ['the longest', '--tun=a.b-c_d78901234', 'a.b-c_d78901234'],
  ])('%s: %s', (_what, words, device) => {
    const { settings } = readSettings({ ...kernel, TS_DEST_IP: '10.0.0.1', TS_TAILSCALED_EXTRA_ARGS: words })
    expect(settings.tunnelDevice).toBe(device)
  })

  it('can be userspace-networking in userspace mode', () => {
    expect(() => readSettings({ TS_TAILSCALED_EXTRA_ARGS: '--tun=userspace-networking' })).not.toThrow()
  })

  it.each([{}, { TS_USERSPACE: 'true' }])('warns of a device with %j, since tailscaled then uses it', (env) => {
    const { warnings } = readSettings({ ...env, TS_TAILSCALED_EXTRA_ARGS: '--tun=ts0' })
    expect(warnings).toEqual([
      expect.stringMatching(/^--tun=ts0 .* although TS_USERSPACE is true: set TS_USERSPACE=false/),
    ])
  })

  it('can be anything that tailscaled accepts if no rule names the device', () => {
    for (const name of ['"ts0"', 'tun%d', 'tap:ts0', 'a/b,ts0', 'ts0,userspace-networking']) {
      const read = readSettings({ ...kernel, TS_ROUTES: '10.0.0.0/8', TS_TAILSCALED_EXTRA_ARGS: `--tun=${name}` })
      expect(read).toMatchObject({ settings: { userspace: false, forwardedFamilies: [4] }, warnings: [] })
    }
    const { warnings } = readSettings({ TS_TAILSCALED_EXTRA_ARGS: '--tun=tailscale0,userspace-networking' })
    expect(warnings).toEqual([])
  })

  it.each<[string, Record<string, string>, RegExp]>([
    ['--tun=', kernel, noName],
    ['--tun', kernel, noName],
    ['--tun=sixteen-bytes-ab', kernel, noName],
    ['--tun=a/b,', kernel, noName],
    ['--tun=.', kernel, noName],
    ...['"ts0"', 'ts*', 'tun%d', 'tap:ts0', 'ts0,userspace-networking', 'a/b', '.'].map(
      (name): [string, Record<string, string>, RegExp] => [
        `--tun=${name}`,
        { ...kernel, TS_DEST_IP: '10.0.0.1' },
        noName,
      ],
    ),
    ['--tun --port=1', kernel, noName],
    ['--tun=a/b', {}, noName],
    [
      '--tun=userspace-networking',
      kernel,
      /: --tun=userspace-networking contradicts TS_USERSPACE=false: take it out, or set TS_USERSPACE=true$/,
    ],
    [
      '--tun userspace-networking',
      { ...kernel, TS_TAILNET_TARGET_IP: '100.64.0.9' },
      /contradicts TS_USERSPACE=false: take it out: TS_TAILNET_TARGET_IP needs a device$/,
    ],
    [
      '--tun userspace-networking',
      { ...kernel, EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS: 'true', POD_IP: '10.0.0.1' },
      /take it out: EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS needs a device$/,
    ],
  ])('%s with %j is refused', (words, env, message) => {
    expect(() => readSettings({ ...env, TS_TAILSCALED_EXTRA_ARGS: words })).toThrow(message)
  })
})
