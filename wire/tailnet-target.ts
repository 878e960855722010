import type { Address } from '../lib/address.ts'

/** An egress target in the tailnet: an address, or the full name of a peer, of a Tailscale Service or a 4via6 name. */
export type TailnetTarget =
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'name'; readonly name: string }

/**
 * The canonical full name: lower case, with a trailing dot and without a leading one. Undefined for an
 * invalid name: longer than 254 bytes with its dot, with a label before the last that is not of 1 to 63 bytes, or with
 * anything but visible ASCII.
 */
export function parseFullName(text: string): string | undefined {
  const bare = text.replace(/^\./, '').replace(/\.$/, '')
  if (!/^[!-~]{1,253}$/.test(bare)) return undefined
  const labels = bare.split('.').slice(0, -1)
  return labels.every(({ length }) => length >= 1 && length <= 63) ? `${bare.toLowerCase()}.` : undefined
}
