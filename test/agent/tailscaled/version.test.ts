import { expect, it } from 'vitest'
import { capabilityKeeper, reportVersion } from '../../../agent/tailscaled/version.ts'
import { parseDeviceConfig } from '../../../wire/device-config.ts'
import { type Capability, toldOf } from '../../../agent/world/capability.ts'
import type { DeviceConfigState, Tailnet } from '../../../agent/world/world.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'

type Given = {
  readonly capability?: Capability
  readonly tailnet?: Partial<Tailnet>
  readonly env?: Readonly<Record<string, string>>
  readonly configFile?: string
}

function read(text: string): DeviceConfigState {
  const bytes = Buffer.from(text)
  return { file: { content: { path: '/c', cap: 107, bytes, config: parseDeviceConfig('/c', bytes) } } }
}

/** What is logged of a tailscaled that says its version. */
async function report(version: string, own: number, { capability = {}, tailnet = {}, env = {}, configFile }: Given) {
  const known = { ...aWorld().tailnet, version, ...tailnet }
  const { context, store, lines, stop } = aContext(
    aWorld({ capability, tailnet: known, deviceConfig: configFile === undefined ? undefined : read(configFile) }, env),
  )
  capabilityKeeper(store)(own)
  const reporting = reportVersion(context).catch(() => {})
  await new Promise(setImmediate)
  stop.abort()
  await reporting
  return { lines, told: toldOf(store.world.capability) }
}

const sharing = { TS_SERVE_CONFIG: '/s', TS_EXPERIMENTAL_CERT_SHARE: 'true', TS_KUBE_SECRET: 's', POD_NAME: 'p-0' }
const inPod = { ...sharing, KUBERNETES_SERVICE_HOST: '10.96.0.1' }
const account = { TS_ACME_ACCOUNT_SECRET_NAME: 'accounts' }
const hosting = { hosted: ['svc:web'] }

it.each<[string, string, number, Given, readonly RegExp[]]>([
  ['the recorded one', '1.104.2', 148, { capability: { recorded: 148 } }, []],
  ['the one that is assumed', '1.102.5-t1', 142, {}, []],
  [
    'not the recorded one',
    '1.104.2',
    148,
    { capability: { recorded: 142 } },
    [/^warning: tailscaled has capability version 148, but 142 is recorded in the image: .*check-image --record/],
  ],
  [
    'not the one that is assumed',
    '1.96.5',
    133,
    {},
    [/133, but none is recorded in the image, so that 142 was assumed/],
  ],
  [
    'unknown to the agent',
    '1.106.0',
    150,
    { capability: { recorded: 150 } },
    [/^warning: tailscaled 1\.106\.0 is not /],
  ],
  ['1.80, and nothing is asked of it', '1.80.3', 113, { capability: { recorded: 113 } }, []],
  [
    '1.80 and hosts Tailscale Services',
    '1.80.3',
    113,
    { capability: { recorded: 113 }, tailnet: hosting },
    [/cannot reach the Tailscale Services .* tailscaled 1\.80\.3 drops their packets, and 1\.82 is the first/],
  ],
  ['1.82 and hosts Tailscale Services', '1.82.0', 115, { capability: { recorded: 115 }, tailnet: hosting }, []],
  [
    '1.80 and shares certificates',
    '1.80.3',
    113,
    { capability: { recorded: 113 }, env: inPod },
    [/^warning: TS_EXPERIMENTAL_CERT_SHARE has no effect: tailscaled 1\.80\.3 .* from 1\.82 on$/],
  ],
  [
    '1.102 and shares certificates and an account',
    '1.102.5',
    142,
    { env: { ...inPod, ...account } },
    [/^warning: TS_ACME_ACCOUNT_SECRET_NAME .* have no effect: tailscaled 1\.102\.5 /],
  ],
  [
    '1.96 and is to leave addresses as they are',
    '1.96.5',
    133,
    {
      capability: { recorded: 133 },
      env: { TS_USERSPACE: 'false' },
      configFile: '{"version": "alpha0", "DisableSNAT": true}',
    },
    [/^warning: DisableSNAT of the config file has no effect: tailscaled 1\.96\.5 ignores it/],
  ],
  ['1.104 and shares both', '1.104.2', 148, { capability: { recorded: 148 }, env: { ...inPod, ...account } }, []],
])('a tailscaled that is %s', async (_what, version, own, given, warnings) => {
  const { lines, told } = await report(version, own, given)
  expect(lines).toEqual(warnings.map((warning) => expect.stringMatching(warning)))
  expect(told).toBe(own)
})
