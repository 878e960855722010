import type { PortHandler, Ports, Sites } from '../../wire/serve-config.ts'
import type { Handlers } from './handlers.ts'

/** What a port of a site answers with. */
export type WebPort = { readonly port: number; readonly does: 'https' | 'http' | 'redirect' }

/** The parts of a serve config by which a site is served under a name. */
export function webOf(
  host: string,
  ports: readonly WebPort[],
  handlers: Handlers,
): { readonly TCP: Ports; readonly Web: Sites } {
  const handler = (does: WebPort['does'], url: string) =>
    does === 'redirect' ? { Redirect: '301:https://${HOST}${REQUEST_URI}' } : { Proxy: url }
  const protocol = (does: WebPort['does']): PortHandler => (does === 'https' ? { HTTPS: true } : { HTTP: true })
  return {
    TCP: Object.fromEntries(ports.map(({ port, does }) => [port, protocol(does)])),
    Web: Object.fromEntries(
      ports.map(({ port, does }) => [
        `${host}:${port}`,
        { Handlers: Object.fromEntries([...handlers].map(([path, url]) => [path, handler(does, url)])) },
      ]),
    ),
  }
}
