import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { sendFile } from '../../../recorder/web/files.ts'
import { listAddress, readForm } from '../../../recorder/web/form.ts'
import { isForeign } from '../../../recorder/web/headers.ts'
import { html } from '../../../recorder/web/html.ts'
import { readNodes } from '../../../recorder/web/nodes.ts'
import { length, size, timeTag } from '../../../recorder/web/page.ts'

describe('HTML', () => {
  it('has no text that is taken for HTML, in elements and attributes', () => {
    const { text } = html`<a title="${'"><b>'}">${['<i>', html`<br />`, '&amp;', "'"]}</a>`
    expect(text).toBe('<a title="&quot;&gt;&lt;b&gt;">&lt;i&gt;<br />&amp;amp;&#39;</a>')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (some) => {
        expect(html`${some}`.text).toMatch(/^(?:[^<>"'&]|&(?:lt|gt|quot|#39|amp);)*$/)
      }),
    )
  })

  it('shows what would not be seen, or would turn the text around', () => {
    expect(html`${'a\u202Eb\u0007c\u200Bd\uFEFF\uD800\u{E0001}\n\tü€😀'}`.text).toBe(
      'a\\u{202e}b\\u{7}c\\u{200b}d\\u{feff}\\u{d800}\\u{e0001}\n\tü€😀',
    )
  })
})

describe('what is asked for', () => {
  it.each([
    ['2026-11-30', Date.UTC(2026, 10, 30)],
    ['2026-11-30T12:34', Date.UTC(2026, 10, 30, 12, 34)],
    ['2026-11-30 12:34:56', Date.UTC(2026, 10, 30, 12, 34, 56)],
  ])('has the time %s in UTC', (from, since) => {
    expect(readForm(new URLSearchParams({ from }))).toMatchObject({ query: { since, until: undefined }, problems: [] })
  })

  const many = Array.from({ length: 21 }, (_, at) => `w${at}`)
  it('is not more words than somebody looks for, each counted once', () => {
    const asked = (words: readonly string[]) =>
      readForm(new URLSearchParams({ who: 'alice', command: words.join(' ') }))
    expect(asked(many)).toMatchObject({
      problems: [expect.stringContaining('20 words')],
      query: { who: 'alice', command: '' },
    })
    expect(asked(many.map(() => 'Word'))).toMatchObject({ problems: [] })
    expect(asked(many.slice(1))).toMatchObject({ problems: [], query: { command: many.slice(1).join(' ') } })
  })

  it.each([['from=yesterday'], ['to=2026-13-45'], ['kind=x'], ['after=x'], ['after=1~']])(
    'is told what is wrong with %s, which changes nothing else',
    (text) => {
      const { query, problems } = readForm(new URLSearchParams(`${text}&who=alice`))
      expect(problems).toHaveLength(1)
      expect(query).toEqual({ who: 'alice', where: '', command: '' })
    },
  )

  it('is in the address of the next page', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 0, max: 4e12 }), (who, began) => {
        const after = { began, key: 'nA/2026-11-30T12:00:00.000000000Z.cast' }
        const address = new URL(listAddress({ who, kind: 'ssh' }, after), 'http://recorder')
        expect(readForm(address.searchParams)).toMatchObject({ query: { who: who.trim(), kind: 'ssh', after } })
      }),
    )
  })
})

it.each([
  ['no browser', {}, false],
  ['somebody who enters the address', { 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' }, false],
  ['a page of ours', { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' }, false],
  [
    'a link of another site',
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' },
    false,
  ],
  [
    'a frame of another site',
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
    true,
  ],
  [
    'a script of another site',
    { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'empty' },
    true,
  ],
  ['a script of another node', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' }, true],
])('%s is foreign or not', (_who, headers, foreign) => {
  expect(isForeign(headers)).toBe(foreign)
})

it('numbers are short, whatever they are', () => {
  expect([0, 59.6, 3600, 1e300].map(length)).toEqual(['0:00', '1:00', '1:00:00', '277777:46:40'])
  expect([0, 999, 1000, 1_234_567, 1e18].map(size)).toEqual(['0 B', '999 B', '1 kB', '1.23 MB', '1000000 TB'])
  expect(timeTag(Number.POSITIVE_INFINITY).text).toContain('1970-01-01 00:00:00')
})

it('nodes are known by their stable IDs, also if tailscaled has none or says something else of some', () => {
  const status = {
    Self: { ID: 'nSelf', DNSName: 'recorder.lab.ts.net.' },
    Peer: { a: { ID: 'nA', DNSName: 'a.lab.ts.net.', Tags: ['tag:a'] }, b: null, c: { ID: 'nC', Tags: 7 } },
  }
  expect([...readNodes(JSON.stringify(status))]).toEqual([
    ['nSelf', { name: 'recorder.lab.ts.net', tags: [] }],
    ['nA', { name: 'a.lab.ts.net', tags: ['tag:a'] }],
    ['nC', { name: '', tags: [] }],
  ])
  expect(readNodes('{}').size).toBe(0)
  expect(() => readNodes('nonsense')).toThrow('no object')
})

it('a file that becomes shorter while it is sent does not look whole', async () => {
  const [key, bytes] = ['nA/x.cast', 10]
  let isClosed = false
  const reads = [Buffer.from('abc'), Buffer.alloc(0)]
  const opened = { key, bytes, read: async () => reads.shift()!, close: async () => void (isClosed = true) }
  const sent: Buffer[] = []
  const reply = {
    begin: () => {},
    pour: async (chunks: AsyncIterable<Buffer>) => {
      for await (const chunk of chunks) sent.push(chunk)
    },
  }
  await expect(sendFile(reply, opened, { from: 0, isOpen: false })).rejects.toThrow('shorter')
  expect([Buffer.concat(sent).toString(), isClosed]).toEqual(['abc', true])
})
