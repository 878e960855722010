import { expect, it } from 'vitest'
import { capabilityKeeper, reportVersion } from '../../../agent/tailscaled/version.ts'
import { type Capability, toldOf } from '../../../agent/world/capability.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'

/** What is logged with a record, or none, when tailscaled says its version. */
async function report(capability: Capability, version: string, own: number) {
  const { tailnet } = aWorld()
  const { context, store, lines, stop } = aContext(aWorld({ capability, tailnet: { ...tailnet, version } }))
  capabilityKeeper(store)(own)
  await reportVersion(context)
  stop.abort()
  return { lines, told: toldOf(store.world.capability) }
}

it.each<[string, Capability, string, number, readonly RegExp[]]>([
  ['the recorded one', { recorded: 148 }, '1.104.2', 148, []],
  ['the one that is assumed', {}, '1.102.5-t1', 142, []],
  [
    'not the recorded one',
    { recorded: 142 },
    '1.104.2',
    148,
    [/^warning: tailscaled has capability version 148, but 142 is recorded in the image: .*check-image --record/],
  ],
  [
    'not the one that is assumed',
    {},
    '1.80.3',
    113,
    [/113, but none is recorded in the image, so that 142 was assumed/],
  ],
  ['unknown to the agent', { recorded: 150 }, '1.106.0', 150, [/^warning: tailscaled 1\.106\.0 is not one of /]],
])('a tailscaled that is %s', async (_what, capability, version, own, warnings) => {
  const { lines, told } = await report(capability, version, own)
  expect(lines).toEqual(warnings.map((warning) => expect.stringMatching(warning)))
  expect(told).toBe(own)
})
