import * as z from 'zod/mini'
import { CulvertError } from '../../lib/errors.ts'
import type { LocalApi } from '../../localapi/client.ts'
import { configToHand, type HandedConfig, refreshCopy } from './effective.ts'
import type { Facet } from '../world/reconciler.ts'
import { isUp, type Store, type World } from '../world/world.ts'

export const deviceConfigName = 'device-config'

/** What tailscaled should have read. */
export const planDeviceConfig = (world: World): HandedConfig | undefined =>
  isUp(world) ? configToHand(world) : undefined

const answerSchema = z.object({ Reloaded: z.boolean(), Err: z.string() })

/** Has tailscaled read its config file again whenever that has changed since it last did. */
export const deviceConfigFacet = (store: Store, api: LocalApi, signal: AbortSignal): Facet<HandedConfig> => ({
  name: deviceConfigName,
  plan: planDeviceConfig,
  apply: async (desired) => {
    const { daemon, deviceConfig } = store.world
    const { config: last } = daemon
    if (deviceConfig === undefined || last === undefined || last.bytes.equals(desired.bytes)) return false
    refreshCopy(last.path, desired.bytes, deviceConfig)
    checkReloaded(await api.post('reload-config', signal))
    store.update((world) => ({ ...world, daemon: { ...world.daemon, config: { path: last.path, ...desired } } }))
    return true
  },
})

/** @throws CulvertError `localapi` with tailscaled's reason; it has none when it answers nothing (localapi… §A.2). */
function checkReloaded(body: string): void {
  const refused = (why: string): CulvertError =>
    new CulvertError('localapi', `tailscaled did not take the new config: ${why}`, {
      remedy: 'It goes on with the one before; its own log lines may say more.',
    })
  if (body.trim() === '') throw refused('it could not read it')
  const answer = answerSchema.safeParse(parseJson(body))
  if (!answer.success) throw refused('its answer is not the documented one')
  if (answer.data.Err !== '') throw refused(answer.data.Err.slice(0, 1000))
  if (!answer.data.Reloaded) throw refused('it runs without a config file')
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
