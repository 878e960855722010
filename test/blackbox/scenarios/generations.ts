import { dirname, join } from 'node:path'
import { bundle } from '../../agent/proxy.ts'
import { type Generation, generations } from '../generations.ts'
import { type Message, type Node, running } from '../localapi.ts'
import type { Phase } from '../phase.ts'
import type { Scenario } from '../scenario.ts'
import {
  device,
  identity,
  inKubernetes,
  inMemory,
  inSecret,
  oneStep,
  type Scenarios,
  shortWaits,
  tailscaled,
  up,
  userspace,
  withConfig,
  withKey,
} from './common.ts'

/** The Secret of a node that has logged in before. */
const before = { authkey: 'tskey-key', ...identity } as const
const login = up('--accept-dns=false', '--authkey=tskey-key')

const node = (ID: number, name: string, address: string): Node => ({
  ID,
  StableID: `n${ID}`,
  Name: `${name}.test.ts.net.`,
  Addresses: [`${address}/32`],
})
const foo = (address: string): Message => ({ PeersChanged: [node(7, 'foo', address)] })
const fqdn = 'foo.test.ts.net'
const targets = (...addresses: readonly string[]): string =>
  JSON.stringify({
    podIPv4: '',
    services: { foo: { ports: [], tailnetTargetIPs: addresses, tailnetTarget: { ip: '', fqdn } } },
  })

const nothing = '{"podIPv4":"","services":null}'

/** Replaces the record of the image. */
const record = (text: string) => ({ [join(dirname(bundle), 'tailscale-version.json')]: text })
const recorded = ({ version, cap }: Generation) => record(JSON.stringify({ majorMinorPatch: version, cap }))

/** A service for a peer that appears, moves, goes offline and leaves, while the node itself moves, too. */
function egress(generation: Generation): Scenario {
  const capver = { ...before, tailscale_capver: String(generation.cap) }
  const known = { ...capver, ...device }
  const moved = { ...known, device_ips: '["100.64.0.9"]' }
  const status = (...addresses: readonly string[]) => ({ 'egress-services': targets(...addresses) })
  return {
    // With the usual waits, since nothing but the bus may tell of a change.
    env: {
      ...inKubernetes,
      TS_EGRESS_PROXIES_CONFIG_PATH: '{root}/etc/tailscaled',
      TS_LOCAL_ADDR_PORT: '[::]:{port}',
    },
    generation,
    secret: before,
    files: {
      ...recorded(generation),
      'etc/tailscaled/egress-services': JSON.stringify({ foo: { tailnetTarget: { ip: '', fqdn }, ports: [] } }),
    },
    phases: [
      { runs: [tailscaled(inSecret, userspace), login], secret: capver },
      {
        send: running(),
        log: new RegExp(`nothing is called ${fqdn}`),
        secret: { ...known, 'egress-services': nothing },
      },
      { send: foo('100.64.0.2'), secret: { ...known, ...status('100.64.0.2') } },
      { send: { PeersPatched: [{ NodeID: 7, Online: false }] } },
      { send: foo('100.64.0.3'), secret: { ...known, ...status('100.64.0.3') } },
      { send: { PeersChanged: [node(8, 'bar', '100.64.0.4')] } },
      { send: running('myID', 'test-node.test.ts.net.', '100.64.0.9'), secret: { ...moved, ...status('100.64.0.3') } },
      { send: { PeersRemoved: [7] }, secret: { ...moved, 'egress-services': nothing } },
      // It misses this, and reads it when it watches again.
      {
        act: ({ localApi }) => {
          localApi.endWatches()
          localApi.send(foo('100.64.0.5'))
        },
        secret: { ...moved, ...status('100.64.0.5') },
      },
    ],
  }
}

const path = 'etc/tailscaled/serve-config.json'
const handlers = { Handlers: { '/': { Proxy: 'http://10.0.0.9:80' } } }
const site = (host: string) => ({ TCP: { 443: { HTTPS: true } }, Web: { [`${host}:443`]: handlers } })

/** A site with HTTPS, which is switched on later in the tailnet, on a node that is then renamed. */
function https(generation: Generation): Scenario {
  const name = 'test-node.test.ts.net'
  return {
    env: { ...withKey, TS_SERVE_CONFIG: `{root}/${path}` },
    generation,
    files: { ...recorded(generation), [path]: JSON.stringify(site('${TS_CERT_DOMAIN}')) },
    phases: [
      { runs: [tailscaled(inMemory, userspace), login] },
      { send: running() },
      { send: { InitialStatus: { CertDomains: [name] } }, serves: site(name) },
      {
        send: { ...running('myID', 'other.test.ts.net.'), InitialStatus: { CertDomains: ['other.test.ts.net'] } },
        serves: site('other.test.ts.net'),
        warnings: [],
      },
    ],
  }
}

/** The config file is chosen for the tailscaled that is recorded. */
function config(generation: Generation): Scenario {
  const { cap } = generation
  const [present, next] = [`etc/tailscaled/cap-${cap}.hujson`, `etc/tailscaled/cap-${cap + 1}.hujson`]
  const text = '{"Version":"alpha0","AuthKey":"some-auth-key"}'
  return {
    env: oneStep,
    generation,
    files: { ...recorded(generation), [present]: text, [next]: text },
    phases: [
      { runs: [tailscaled(inMemory, userspace, withConfig.replace('cap-95', `cap-${cap}`))] },
      { send: running(), warnings: [] },
    ],
  }
}

const each = (play: (generation: Generation) => Scenario, what: string): Scenarios =>
  Object.fromEntries(generations.map((generation) => [`${what}, ${generation.version}`, play(generation)]))

const [oldest, newest] = [generations[0]!, generations.at(-1)!]
/** Something other than its version is recorded, and counts until it has answered. */
const unrecorded = (files: Scenario['files'], ...warnings: NonNullable<Phase['warnings']>): Scenario => ({
  env: { ...inKubernetes, ...shortWaits },
  generation: newest,
  secret: before,
  ...(files && { files }),
  phases: [
    { runs: [tailscaled(inSecret, userspace), login], secret: { ...before, tailscale_capver: '148' } },
    { send: running(), secret: { ...before, tailscale_capver: '148', ...device }, warnings },
  ],
})
const remedy = 'Run "culvert check-image --record" in the image’s build, after tailscale and tailscaled are in place.'

/** Each generation of tailscaled that is supported. */
export const ofGenerations: Scenarios = {
  ...each(egress, 'egress to a peer that changes'),
  ...each(https, 'a site that gets HTTPS'),
  'the config file for the oldest one': config(oldest),
  'the config file for the newest one': config(newest),
  'another tailscaled than the recorded one': unrecorded(
    recorded(oldest),
    `tailscaled has capability version 148, but 113 is recorded in the image: a config file is chosen by that. ${remedy}`,
  ),
  'a newer tailscaled without a record': unrecorded(
    undefined,
    `tailscaled has capability version 148, but none is recorded in the image, so that 142 was assumed: a config file is chosen by that. ${remedy}`,
  ),
}
