import type { Environment } from '../agent.ts'
import type { Scenario } from '../scenario.ts'
import { inKernel, inKubernetes, type Scenarios, withKey } from './common.ts'

/** The last setting asks for a mode that is not built: it is refused by name. */
const refused = (env: Environment): Scenario => ({
  env,
  phases: [{ exit: 1, log: new RegExp(`error: ${Object.keys(env).at(-1)} `) }],
})

const servesFile = { TS_SERVE_CONFIG: '{root}/etc/tailscaled/serve-config.json' }

/** The scenarios of agent.md §12 that this version cannot play, and further modes that it lacks. */
export const unbuilt: Scenarios = {
  serve_config_no_kube: refused({ ...withKey, ...servesFile }),
  serve_config_kube: refused({ ...inKubernetes, ...servesFile }),
  serve_config_with_service_auto_advertisement: refused({ ...withKey, ...servesFile }),
  'a target by its DNS name': refused({ ...withKey, ...inKernel, TS_EXPERIMENTAL_DEST_DNS_NAME: 'backend.test' }),
  'shared certificates': refused({ ...inKubernetes, TS_EXPERIMENTAL_CERT_SHARE: 'true' }),
}
