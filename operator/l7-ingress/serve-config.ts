import { UserError } from '../../kube/controller/controller.ts'
import { certDomain, type ServeConfig, withoutEmpty } from '../../wire/serve-config.ts'
import { invalid } from './ingress.ts'
import type { Forwards } from './join.ts'
import type { Sites } from './sites.ts'
import { webOf } from './web.ts'

/** tailscaled keeps a copy in the same Secret, which with everything else holds 1 MiB. */
const mostBytes = 400_000

/**
 * What the node serves: the sites, if they have a handler, and TCP ports that are forwarded. Empty: nothing.
 * @throws UserError if it is more than a proxy can keep
 */
export function serveConfigOf({ handlers, ports, annotations }: Sites, forwards: Forwards): ServeConfig {
  const web = handlers.size === 0 ? [] : ports
  const site = webOf(
    certDomain,
    web.map((port) => ({ port, does: port === 80 ? 'redirect' : 'https' })),
    handlers,
  )
  const config = withoutEmpty({
    TCP: {
      ...site.TCP,
      ...Object.fromEntries(
        [...forwards].map(([port, { to, proxyProtocol }]) => [
          port,
          { TCPForward: to, ...(proxyProtocol && { ProxyProtocol: proxyProtocol }) },
        ]),
      ),
    },
    Web: site.Web,
    AllowFunnel:
      annotations.funnel === true ? Object.fromEntries(web.map((port) => [`${certDomain}:${port}`, true])) : {},
  })
  const { length } = JSON.stringify(config)
  if (length <= mostBytes) return config
  throw new UserError(
    invalid,
    `what ${handlers.size} paths serve has ${length} bytes, and a proxy can keep ${mostBytes}`,
    'Use fewer paths, or several Ingresses.',
  )
}
