import { X509Certificate } from 'node:crypto'

/** What is kept of a certificate; nothing of its key. */
export type Certificate = {
  /** SHA-256 of the whole certificate, as text. */
  readonly fingerprint: string
  readonly from: Date
  readonly to: Date
}

/**
 * The first certificate of a chain in PEM.
 * @throws Error when there is none; its text repeats nothing of what was given, which may hold a key.
 */
export function leafOf(pem: string): X509Certificate {
  const [block] = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/.exec(pem) ?? []
  if (block === undefined) throw new Error('there is no certificate in it')
  try {
    return new X509Certificate(block)
  } catch {
    throw new Error('its certificate cannot be read')
  }
}

export const certificateOf = (leaf: X509Certificate): Certificate => ({
  fingerprint: leaf.fingerprint256,
  from: leaf.validFromDate,
  to: leaf.validToDate,
})

/**
 * When a certificate should be renewed, in milliseconds since 1970: after two thirds of its lifetime plus up to a
 * thirtieth, fixed per certificate, so that certificates of the same day are not all due at once.
 */
export function renewalOf({ fingerprint, from, to }: Certificate): number {
  const lifetime = to.getTime() - from.getTime()
  const share = Number.parseInt(fingerprint.replaceAll(':', '').slice(0, 8), 16) / 2 ** 32
  return from.getTime() + lifetime * (2 / 3 + share / 30)
}
