import type { Environment } from '../agent.ts'
import type { Scenario } from '../scenario.ts'
import { inKernel, inKubernetes, type Scenarios, withKey } from './common.ts'

/** The last setting asks for a mode that is not built: it is refused by name. */
const refused = (env: Environment): Scenario => ({
  env,
  phases: [{ exit: 1, log: new RegExp(`error: ${Object.keys(env).at(-1)} `) }],
})

const servesFile = { TS_SERVE_CONFIG: '{root}/etc/tailscaled/serve-config.json' }
const egressServices = { TS_EGRESS_PROXIES_CONFIG_PATH: '{root}/etc/tailscaled' }

/** The scenarios of agent.md §12 that this version cannot play, and further modes that it lacks. */
export const unbuilt: Scenarios = {
  egress_proxy: refused({ ...withKey, ...inKernel, TS_TAILNET_TARGET_IP: '100.99.99.99' }),
  egress_proxy_fqdn_ipv6_target_on_ipv4_host: refused({
    ...withKey,
    ...inKernel,
    TS_TAILNET_TARGET_FQDN: 'ipv6-node.test.ts.net.',
  }),
  serve_config_no_kube: refused({ ...withKey, ...servesFile }),
  serve_config_kube: refused({ ...inKubernetes, ...servesFile }),
  serve_config_with_service_auto_advertisement: refused({ ...withKey, ...servesFile }),
  egress_svcs_config_kube: refused({ ...inKubernetes, ...egressServices }),
  egress_svcs_config_no_kube: refused({ ...withKey, ...egressServices }),
  'ingress services': refused({ ...inKubernetes, TS_INGRESS_PROXIES_CONFIG_PATH: '/etc/proxies/config.json' }),
  'a target by its DNS name': refused({ ...withKey, ...inKernel, TS_EXPERIMENTAL_DEST_DNS_NAME: 'backend.test' }),
  'shared certificates': refused({ ...inKubernetes, TS_EXPERIMENTAL_CERT_SHARE: 'true' }),
  'cluster traffic through the node': refused({
    ...withKey,
    ...inKernel,
    EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS: 'true',
  }),
}
