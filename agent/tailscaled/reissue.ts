import { CulvertError } from '../../lib/errors.ts'
import { keys } from '../../wire/state-secret.ts'
import { writesSecret } from '../state-secret/reconciler.ts'
import type { Context } from '../world/context.ts'
import type { World } from '../world/world.ts'
import { refusedLogin } from './one-step.ts'
import { login } from './log-events.ts'

type Parts = Pick<Context, 'store' | 'api' | 'log' | 'timings' | 'clock' | 'signal'>

/**
 * One-step mode: when the auth key of the config file is refused, asks for another one through the state Secret and
 * waits for it. Resolves with the reason to end the agent when it has come, since the next start uses it. The
 * reconciler of the state Secret writes the request and keeps it there meanwhile.
 * @throws CulvertError `login` when there is no way to ask, or no answer.
 */
export async function reissueRefusedKey({ store, api, log, timings, clock, signal }: Parts): Promise<string> {
  const write = store.writer('reissue')
  const refused = await store.until((world) => isFinal(world), signal)
  const reason = refusedLogin(refused) ?? ''
  if (!writesSecret(refused)) {
    throw new CulvertError('login', `login failed: ${reason}`, {
      remedy: 'Put a fresh auth key into the config file and restart the container.',
    })
  }
  const refusedKey = refused.deviceConfig?.file.content.config.authKey ?? ''
  log(login.asksForKey({ problem: reason, key: keys.reissue, secret: refused.stateSecret?.name ?? '' }))
  try {
    // The device is about to be deleted, and must not come back by itself.
    await api.post('disconnect-control', signal)
  } catch (error) {
    log(login.stillConnected({ problem: error }))
  }
  write(() => ({ refusedKey, reason }))
  log(login.watchesForKey())
  const limit = clock.timeout(timings.reissue)
  try {
    await store.until((world) => hasNewKey(world, refusedKey), AbortSignal.any([signal, limit]))
  } catch (error) {
    if (signal.aborted) throw error
    throw new CulvertError(
      'login',
      `no other auth key came within ${timings.reissue / 60_000} minutes; login failed: ${reason}`,
      {
        remedy: 'Put a fresh auth key into the config file; an operator does that for proxies of a ProxyGroup.',
      },
    )
  }
  log(login.hasKey())
  return 'another auth key was received'
}

/** If no other key can be requested, a failing login may still succeed; the boot deadline limits it. */
const isFinal = (world: World): boolean =>
  refusedLogin(world) !== undefined && (writesSecret(world) || world.tailnet.state === 'NeedsLogin')

function hasNewKey({ deviceConfig }: World, refusedKey: string): boolean {
  const key = deviceConfig?.file.content.config.authKey ?? ''
  return key !== '' && key !== refusedKey
}
