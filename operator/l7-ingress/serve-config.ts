import { UserError } from '../../kube/controller/controller.ts'
import { certDomain, type ServeConfig, withoutEmpty } from '../../wire/serve-config.ts'
import { invalid } from './ingress.ts'
import type { Forwards } from './join.ts'
import type { Sites } from './sites.ts'

/** tailscaled keeps a copy in the same Secret, which with everything else holds 1 MiB. */
const mostBytes = 400_000

/**
 * What the node serves: the sites, if they have a handler, and TCP ports that are forwarded. Empty: nothing.
 * @throws UserError if it is more than a proxy can keep
 */
export function serveConfigOf({ handlers, ports, annotations }: Sites, forwards: Forwards): ServeConfig {
  const web = handlers.size === 0 ? [] : ports
  const of = <Value>(value: (port: number) => Value): Record<string, Value> =>
    Object.fromEntries(web.map((port) => [`${certDomain}:${port}`, value(port)]))
  const handler = (port: number, url: string) =>
    port === 80 ? { Redirect: '301:https://${HOST}${REQUEST_URI}' } : { Proxy: url }
  const config = withoutEmpty({
    TCP: Object.fromEntries([
      ...web.map((port) => [port, port === 80 ? { HTTP: true } : { HTTPS: true }]),
      ...[...forwards].map(([port, { to, proxyProtocol }]) => [
        port,
        { TCPForward: to, ...(proxyProtocol && { ProxyProtocol: proxyProtocol }) },
      ]),
    ]),
    Web: of((port) => ({
      Handlers: Object.fromEntries([...handlers].map(([path, url]) => [path, handler(port, url)])),
    })),
    AllowFunnel: annotations.funnel === true ? of(() => true) : {},
  })
  const { length } = JSON.stringify(config)
  if (length <= mostBytes) return config
  throw new UserError(
    invalid,
    `what ${handlers.size} paths serve has ${length} bytes, and a proxy can keep ${mostBytes}`,
    'Use fewer paths, or several Ingresses.',
  )
}
