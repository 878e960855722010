import { configFiles, serveFile } from './device-config.ts'
import type { ProxyRequest } from './request.ts'

type MountsOptions = {
  readonly agent: 'culvert' | 'upstream'
  /** Of the StatefulSet. */
  readonly name: string
  readonly request: ProxyRequest
}

/** Tells Culvert's agent to read the config from this Secret itself. */
export const configSecret = 'CULVERT_CONFIG_SECRET'

/** Whether each Pod reads its own Secret, so that another number of replicas restarts none. */
export const readsSecret = ({ request, agent }: Pick<MountsOptions, 'request' | 'agent'>): boolean =>
  agent === 'culvert' && request.variables.some(({ name }) => name === configSecret)

/** The Secrets of all replicas, since a template cannot name just the one of its Pod; or where the agent writes it. */
export function mounted({ name, request, agent }: MountsOptions) {
  if (readsSecret({ request, agent })) {
    const volume = { name: 'tailscaledconfig' }
    return {
      volumes: [{ ...volume, emptyDir: { medium: 'Memory' } }],
      mounts: [{ ...volume, mountPath: '/etc/tsconfig' }],
    }
  }
  const secrets = request.hostnames.map((_, ordinal) => `${name}-${ordinal}`)
  // Without the state, whose changes would look like changes of the config. A Pod must start also while the Secret of
  // another one is being removed.
  const config = agent === 'culvert' && { items: itemsOf(configFiles), optional: true }
  const serve = { items: itemsOf([serveFile]), ...(agent === 'culvert' && { optional: true }) }
  const servesOne = request.serveConfig !== undefined
  return {
    volumes: secrets.flatMap((secretName, ordinal) => [
      { name: `tailscaledconfig-${ordinal}`, secret: { secretName, ...config } },
      ...(servesOne ? [{ name: `serve-config-${ordinal}`, secret: { secretName, ...serve } }] : []),
    ]),
    mounts: secrets.flatMap((secretName, ordinal) => [
      { name: `tailscaledconfig-${ordinal}`, mountPath: `/etc/tsconfig/${secretName}`, readOnly: true },
      ...(servesOne
        ? [{ name: `serve-config-${ordinal}`, mountPath: `/etc/tailscaled/${secretName}`, readOnly: true }]
        : []),
    ]),
  }
}

const itemsOf = (keys: readonly string[]) => keys.map((key) => ({ key, path: key }))
