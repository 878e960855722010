import type { Address } from '../lib/address.ts'

/** Where in the tailnet egress leads: an address, or the full name of a peer, of a Tailscale Service or a 4via6 name. */
export type TailnetTarget =
  | { readonly kind: 'address'; readonly address: Address }
  | { readonly kind: 'name'; readonly name: string }

/**
 * The full name in its one form: lower case, with a trailing dot and without a leading one (agent.md §4). Undefined for
 * what can be no name: one longer than 254 bytes with its dot, a label before the last that is not of 1 to 63 bytes,
 * anything but visible ASCII.
 */
export function parseFullName(text: string): string | undefined {
  const bare = text.replace(/^\./, '').replace(/\.$/, '')
  if (!/^[!-~]{1,253}$/.test(bare)) return undefined
  const labels = bare.split('.').slice(0, -1)
  return labels.every(({ length }) => length >= 1 && length <= 63) ? `${bare.toLowerCase()}.` : undefined
}
