import * as z from 'zod/mini'
import { CulvertError } from '../../lib/errors.ts'
import { parseJson } from '../../lib/json.ts'
import type { LocalApi } from '../../localapi/client.ts'
import type { Reconciler } from '../world/reconciler.ts'
import { reconcilerKey } from '../world/reports.ts'
import { type DeviceConfigState, type EffectiveConfig, isUp, type World } from '../world/world.ts'
import { effectiveConfig, refreshCopy } from './effective.ts'

export const deviceConfigKey = reconcilerKey<EffectiveConfig>('device-config')

/** What tailscaled should have read. */
export const planDeviceConfig = (world: World): EffectiveConfig | undefined =>
  isUp(world) ? effectiveConfig(world) : undefined

const answerSchema = z.object({ Reloaded: z.boolean(), Err: z.string() })

/** Makes tailscaled reload its config file whenever that has changed. `read` gets what it has read then. */
export const deviceConfigReconciler = (
  state: () => DeviceConfigState | undefined,
  api: Pick<LocalApi, 'post'>,
  read: (config: NonNullable<DeviceConfigState['read']>) => void,
  signal: AbortSignal,
): Reconciler<EffectiveConfig> => ({
  key: deviceConfigKey,
  plan: planDeviceConfig,
  apply: async (desired) => {
    // Not the planned value: tailscaled may have been restarted since.
    const { file, read: last } = state() ?? {}
    if (file === undefined || last === undefined || last.bytes.equals(desired.bytes)) return false
    refreshCopy(last.path, desired.bytes, file)
    checkReloaded(await api.post('reload-config', signal))
    read({ path: last.path, ...desired })
    return true
  },
})

/** @throws CulvertError `localapi` with tailscaled's reason, if it gives one. */
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
