import { apiAgentVariables, apiContainer, apiSite } from '../group-ingress/api-group.ts'
import type { Parent } from '../objects/parent.ts'
import { authAccount } from '../proxy/account.ts'
import type { ProxyRequest } from '../proxy/request.ts'
import type { OperatorSettings } from '../settings/settings.ts'

/** The name of the StatefulSet, which is nobody's but the operator's. */
export const apiProxyName = 'apiserver-proxy'

/** The parent of all that is made for it: no object that could go before its proxy does. */
export const apiProxyParent = ({ namespace }: Pick<OperatorSettings, 'namespace'>): Parent => ({
  type: 'apiserver',
  namespace,
  name: apiProxyName,
})

/** What the proxy of the API server is to be that the operator's settings ask for; undefined: they ask for none. */
export function apiProxyRequest(settings: OperatorSettings): ProxyRequest | undefined {
  const { apiServerProxy: asked, apiServerImage, defaultProxyClass } = settings
  if (asked === undefined) return undefined
  const { mode, hostname, tags } = asked
  return {
    type: 'apiserver',
    name: apiProxyName,
    ...(mode === 'auth' && { account: authAccount }),
    // As Tailscale's operator reports itself where it is the proxy.
    app: 'k8s-operator-proxy',
    hostnames: [hostname],
    tags,
    mode: 'userspace',
    variables: apiAgentVariables,
    device: {},
    serveConfig: apiSite,
    sidecar: apiContainer(apiServerImage, { name: 'APISERVER_PROXY', value: mode }),
    proxyClass: defaultProxyClass || undefined,
    metrics: undefined,
    ownOptions: [{ setBy: 'APISERVER_PROXY', isEssential: true }],
  }
}
