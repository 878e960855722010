import { bitsOf, type Family, parsePrefix } from '../../lib/address.ts'

/** The hexadecimal digits of an address. */
export const digitsOf = (text: string, family: Family): string =>
  (bitsOf({ family, text }).match(/.{4}/g) ?? []).map((four) => parseInt(four, 2).toString(16)).join('')

/** The network of the addresses that begin with these digits. */
export function prefixOf(digits: string, family: Family): string {
  const padded = digits.padEnd(family === 4 ? 8 : 32, '0')
  const text =
    family === 4
      ? (padded.match(/../g) ?? []).map((two) => parseInt(two, 16)).join('.')
      : (padded.match(/.{4}/g) ?? []).join(':')
  const [address = '', bits] = (parsePrefix(`${text}/${digits.length * 4}`)?.text ?? '').split('/')
  return `${kernelText(address)}/${bits}`
}

/** An address as the C library writes it, which knows a further form: `::192.0.2.7`. */
export function kernelText(text: string): string {
  const [, high, low] = /^::([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(text) ?? []
  if (high === undefined || low === undefined) return text
  const bytes = [high, low].flatMap((word) => [parseInt(word, 16) >> 8, parseInt(word, 16) & 255])
  return `::${bytes.join('.')}`
}
