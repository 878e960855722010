import { expect, it } from 'vitest'
import { entryOf, readEntry } from '../../../recorder/index/entry.ts'
import { parseHeader } from '../../../recorder/cast/header.ts'

const stored = { key: 'nA/imported.cast', bytes: 1, modified: new Date(7000) }
const whole = { seconds: 1, isCut: false }

it('of a header of a megabyte, little is kept', async () => {
  const long = 'ä'.repeat(200_000)
  const kubernetes = { Namespace: long, PodName: long, Container: long }
  const bytes = Buffer.from(
    `${JSON.stringify({ version: 2, srcNode: long, srcNodeUser: long, command: 'x', kubernetes: 1 })}\n`,
  )
  const read = async (from: number, to: number): Promise<Buffer> => bytes.subarray(from, to)
  const entry = await readEntry({ ...stored, bytes: bytes.length }, { key: stored.key, bytes: bytes.length, read })
  const header = parseHeader(JSON.stringify({ version: 2, command: long, kubernetes }))
  const other = entryOf(stored, header, whole)
  for (const text of [entry.from, entry.who, other.where, other.command]) expect(text).toBe('ä'.repeat(500))
})

it.each([
  [
    'the recorder’s, as the key says',
    'nA/2026-11-30T12:00:00.123456789Z.cast',
    1,
    Date.UTC(2026, 10, 30, 12, 0, 0, 123),
  ],
  ['the uploader’s, if the key says none', 'nA/imported.cast', 5, 5000],
  ['that of the file, if the uploader’s is nonsense', 'nA/imported.cast', 1e300, 7000],
])('the time of a recording is %s', (_what, key, timestamp, began) => {
  const header = parseHeader(JSON.stringify({ version: 2, timestamp }))
  expect(entryOf({ ...stored, key }, header, whole).began).toBe(began)
})
