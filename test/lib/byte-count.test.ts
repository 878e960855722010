import { expect, it } from 'vitest'
import { byteCount } from '../../lib/byte-count.ts'

it.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1024, '1.0 KiB'],
  [1.5 * 1024 ** 2, '1.5 MiB'],
  [3 * 1024 ** 3, '3.0 GiB'],
  [2 ** 63, '8192.0 PiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(byteCount(bytes)).toBe(text)
})
