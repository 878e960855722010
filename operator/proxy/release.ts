import type { Event } from '../../kube/controller/events.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Log } from '../../lib/log.ts'
import { publicMachineKey } from '../../wire/machine-key.ts'
import type { TailscaleApi } from '../api/api.ts'
import { textIn } from './state.ts'
import { events } from '../log-events.ts'

export type ReleaseOptions = {
  readonly tailnet: Pick<TailscaleApi, 'getKey' | 'removeKey' | 'getDevice' | 'removeDevice'>
  readonly tell: (about: KubeObject, event: Event) => Promise<void>
  readonly log: Log
}

/** The Secret with a proxy’s state, and for which object that is; undefined if the object is gone. */
export type Releasing = { readonly secret: KubeObject; readonly object: KubeObject | undefined }

/**
 * Gives what takes out of the tailnet what a proxy’s Secret names, the only place where that is done. The proxy can
 * write its Secret, so that this may name anything of the tailnet: what is not proven to be the proxy’s own is left
 * alone, and told.
 */
export function releasing({ tailnet, tell, log }: ReleaseOptions) {
  const leave = async ({ secret, object }: Releasing, what: string, why: string, remedy: string): Promise<void> => {
    const message = `${what} stays in the tailnet: Secret "${secret.metadata.name}" names it, ${why}. ${remedy}`
    log(events.notOurs({ problem: message }))
    if (object !== undefined) await tell(object, { type: 'Warning', reason: 'NotOurs', message })
  }

  return {
    /**
     * Removes a device whose private machine key the Secret holds. Names and tags prove less: proxies have those of
     * others, admins rename nodes, and users change tags.
     */
    device: async (id: string, about: Releasing, signal: AbortSignal): Promise<void> => {
      const device = await tailnet.getDevice(id, signal)
      if (device === undefined) return
      const own = publicMachineKey(textIn(about.secret, '_machinekey') ?? '')
      if (own !== undefined && own === device.machineKey) return tailnet.removeDevice(id, signal)
      const why = 'but does not hold its machine key, so it is probably another device'
      await leave(about, `device ${id} (${device.name})`, why, 'Remove it there if it is the proxy’s.')
    },
    /** Removes an auth key that has the description of those that are made for the object. */
    key: async (id: string, description: string, about: Releasing, signal: AbortSignal): Promise<void> => {
      const key = await tailnet.getKey(id, signal)
      if (key === undefined) return
      if (key.description === description) return tailnet.removeKey(id, signal)
      const why = `but it was not made for ${description}`
      await leave(about, `auth key ${id}`, why, 'Revoke it there if nothing else needs it.')
    },
  }
}
