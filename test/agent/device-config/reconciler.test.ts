import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { deviceConfigReconciler, planDeviceConfig } from '../../../agent/device-config/reconciler.ts'
import type { DeviceConfigState } from '../../../agent/world/world.ts'
import { parseDeviceConfig } from '../../../wire/device-config.ts'
import { aWorld } from '../a-world.ts'

const path = '/c/cap-95.hujson'
const bytes = Buffer.from('{"version":"alpha0"}')
const file = { content: { path, cap: 95, bytes, config: parseDeviceConfig(path, bytes) } }

/** Lets a tailscaled that last read another file reload this one; `answer` is its answer. */
async function reload(answer: string): Promise<{ changed: unknown; read: Buffer | undefined }> {
  let state: DeviceConfigState = { file, read: { path, bytes: Buffer.of(), services: [] } }
  const world = aWorld({ deviceConfig: state })
  const { apply } = deviceConfigReconciler(
    () => state,
    { post: async () => answer },
    (read) => (state = { ...state, read }),
    new AbortController().signal,
  )
  const changed = await apply(planDeviceConfig(world)!, world)
  return { changed, read: state.read?.bytes }
}

describe('the answer of tailscaled to reload-config', () => {
  it('counts as success when it says so', async () => {
    expect(await reload('{"Reloaded":true,"Err":""}')).toEqual({ changed: true, read: bytes })
  })

  it.each<[string, RegExp]>([
    ['', /it could not read it/],
    ['{"Reloaded":false,"Err":"bad port"}', /bad port/],
    ['{"Reloaded":false,"Err":""}', /without a config file/],
    [`{"Reloaded":false,"Err":"${'x'.repeat(5000)}"}`, /: x{1000}$/],
    ['{"Reloaded":1}', /not the documented one/],
    ['null', /not the documented one/],
  ])('%.40j is an error', async (answer, reason) => {
    await expect(reload(answer)).rejects.toMatchObject({ code: 'localapi', message: expect.stringMatching(reason) })
  })

  it('counts as success only then', async () => {
    const field = fc.oneof(fc.boolean(), fc.constantFrom('', 'bad port'), fc.jsonValue())
    const answers = fc.oneof(
      fc.string(),
      fc.record({ Reloaded: field, Err: field }, { requiredKeys: [] }).map((value) => JSON.stringify(value)),
    )
    await fc.assert(
      fc.asyncProperty(answers, async (answer) => {
        const outcome = await reload(answer).catch((error: unknown) => error)
        if (outcome instanceof Error)
          expect(outcome).toMatchObject({ code: 'localapi', message: expect.stringMatching(/.{10}/) })
        else expect(JSON.parse(answer)).toEqual({ Reloaded: true, Err: '' })
      }),
    )
  })
})
