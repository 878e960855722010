import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { askAgent, environmentOf } from '../../../agent/check/agent.ts'
import { rulesetView } from '../../../agent/forwarding/ruleset.ts'
import { statusView } from '../../../agent/status/status.ts'
import { aWorld } from '../a-world.ts'

const flags = ['--userspace=false']
const about = { version: '1', since: () => undefined, now: new Date(0), agent: { pid: 7, flags } }
const answers = (world: ReturnType<typeof aWorld>): Readonly<Record<string, string>> => ({
  '/status': JSON.stringify(statusView(world, about)),
  '/ruleset': JSON.stringify(rulesetView(world, undefined)),
})
const asked = (bodies: Readonly<Record<string, string>>) =>
  askAgent('/s', async (_socket, path) => ({ body: bodies[path] ?? '' }))

it('reads what the agent says', async () => {
  const { status, ruleset } = await asked(answers(aWorld({}, { TS_USERSPACE: 'false', TS_DEST_IP: '10.0.0.9' })))
  expect(status.agent).toEqual({ pid: 7, flags })
  expect(ruleset.mappings).toMatchObject([{ from: 'tailnet', to: ['10.0.0.9'] }])
})

it('says that anything else cannot be read', async () => {
  const good = answers(aWorld())
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.json(), fc.string()), async (body) => {
      await expect(asked({ ...good, '/status': body })).rejects.toThrow('what it says at /status cannot be read')
    }),
  )
  for (const body of ['', '[]', '{"mappings":[{"from":"moon","to":[]}]}', '{"mappings":[{"from":"cluster"}]}'])
    await expect(asked({ ...good, '/ruleset': body })).rejects.toThrow('what it says at /ruleset cannot be read')
})

it('uses the given environment where the process is not the agent, or cannot be seen', async () => {
  const otherwise = { TS_DEST_IP: '10.0.0.9' }
  // That of this test, one that cannot be, and none.
  for (const pid of [process.pid, 2 ** 30, -1]) expect(await environmentOf({ pid, flags }, otherwise)).toBe(otherwise)
})
