import { isIPv6 } from 'node:net'

/** The host of an IPv6 address is without brackets, as sockets and certificates require it. */
export type Endpoint = { readonly host: string; readonly port: number }

export const urlOf = ({ host, port }: Endpoint): string =>
  `https://${isIPv6(host) ? `[${host}]` : host}${port === 443 ? '' : `:${port}`}`
