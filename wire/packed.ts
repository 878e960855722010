import { gunzipSync, gzipSync } from 'node:zlib'
import { CulvertError } from '../lib/errors.ts'

/**
 * Documents that outgrow the object of the cluster that holds them, in gzip. Only Culvert's agent and operator read and
 * write these: Tailscale's operator gives a group no more services than fit without.
 */

/** What a packed document may grow to, in bytes: more than all ports of a Pod need. */
const maxBytes = 32 * 1024 * 1024

/** What stands before a packed document where only text is stored. */
const prefix = 'gzip:'

const isGzip = (bytes: Buffer): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b

export const pack = (text: string): Buffer => gzipSync(text)

/**
 * The document in these bytes, packed or not.
 * @throws CulvertError `settings` if it is packed and damaged, or larger than 32 MiB
 */
export function unpack(bytes: Buffer): Buffer {
  if (!isGzip(bytes)) return bytes
  try {
    return gunzipSync(bytes, { maxOutputLength: maxBytes })
  } catch (cause) {
    throw new CulvertError('settings', 'it is compressed, and cannot be decompressed', { cause })
  }
}

export const packText = (text: string): string => prefix + pack(text).toString('base64')

/** The text, packed or not; undefined if it is packed and damaged. */
export function unpackText(text: string): string | undefined {
  if (!text.startsWith(prefix)) return text
  try {
    return unpack(Buffer.from(text.slice(prefix.length), 'base64')).toString('utf8')
  } catch {
    return undefined
  }
}
