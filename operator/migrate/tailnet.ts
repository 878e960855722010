import type { TailscaleApi, TailscaleService } from '../api/api.ts'
import type { ServiceApi } from '../group-ingress/vips.ts'
import type { Tailnet } from '../proxy/keying.ts'

/** What the operator would do in the tailnet: make a key, remove a device, put or remove a Tailscale Service. */
export type Intended = {
  readonly what: 'key' | 'device' | 'put' | 'remove'
  /** What a key is for, the ID of a device, or the name of a Tailscale Service. */
  readonly name: string
}

/** What a rehearsal reads. */
export type Readable = ServiceApi & Pick<TailscaleApi, 'getDevice' | 'getKey'>

/** Tailscale's API, of which everything is read and nothing changed. */
export function rehearseTailnet(real: Readable): { api: Tailnet & ServiceApi; intended: readonly Intended[] } {
  const intended: Intended[] = []
  /** As they would be then: what was put is looked at again. */
  const services = new Map<string, TailscaleService | undefined>()
  const note = (what: Intended['what'], name: string): void => {
    if (!intended.some((one) => one.what === what && one.name === name)) intended.push({ what, name })
  }
  return {
    intended,
    api: {
      getDevice: real.getDevice,
      getKey: real.getKey,
      getService: async (name, signal) =>
        services.has(name) ? services.get(name) : await real.getService(name, signal),
      listServices: async (signal) => {
        const others = (await real.listServices(signal)).filter(({ name }) => !services.has(name))
        return [...others, ...services.values()].filter((one) => one !== undefined)
      },
      mintKey: async ({ description }) => {
        note('key', description)
        return { id: 'none', key: 'none', expires: undefined }
      },
      // Only what was made here.
      removeKey: async () => {},
      removeDevice: async (id) => note('device', id),
      putService: async (service) => {
        note('put', service.name)
        services.set(service.name, service)
        return service
      },
      removeService: async (name) => {
        note('remove', name)
        services.set(name, undefined)
      },
    },
  }
}
