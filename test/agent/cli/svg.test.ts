import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Graphviz } from '@hpcc-js/wasm-graphviz'
import { assert, asyncProperty, string } from 'fast-check'
import { SaxesParser } from 'saxes'
import { expect, it } from 'vitest'
import { renderRuleset, type RulesetAnswer } from '../../../agent/cli/ruleset.ts'

const answerOf = (service: string): RulesetAnswer => ({
  firewall: 'nftables',
  device: 'tailscale0',
  mappings: [
    { from: 'cluster', ports: ['tcp/10000'], exempt: [], to: ['100.64.0.2:443'], seen: '100.64.0.1', service },
  ],
  refusesUnmapped: true,
})

/**
 * The names of the elements, and the texts that are shown.
 * @throws Error if it is not well-formed XML.
 */
function parsed(svg: string) {
  const found = { elements: new Set<string>(), texts: [] as string[] }
  const parser = new SaxesParser()
  let within = ''
  parser.on('error', (error) => {
    throw error
  })
  parser.on('closetag', () => void (within = ''))
  parser.on('opentag', ({ name }) => {
    within = name
    found.elements.add(name)
    if (name === 'text') found.texts.push('')
  })
  parser.on('text', (text) => {
    if (within === 'text') found.texts.push(`${found.texts.pop()}${text}`)
  })
  parser.write(svg).close()
  return found
}

const drawing = async (answer: RulesetAnswer) =>
  parsed(await renderRuleset(JSON.stringify(answer), new Map([['svg', 'true']])))

it('draws the rules as SVG, with all that the words say of where flows lead', async () => {
  const { elements, texts } = await drawing(answerOf('db'))
  expect([...elements].toSorted()).toEqual(['g', 'path', 'polygon', 'svg', 'text', 'title'])
  expect(texts.toSorted()).toEqual(
    ['from the cluster', 'the Pod, tcp/10000', 'db', '100.64.0.2:443', 'as 100.64.0.1'].toSorted(),
  )
})

it('draws nothing if there are no rules', async () => {
  expect((await drawing({ device: 'tailscale0', refusesUnmapped: false })).texts).toEqual([])
})

it.each([
  ['an element', '</text><script>alert(1)</script>'],
  ['an entity', '&lt;&amp;&nbsp;&#60;&#1;'],
  ['a quote and attributes', String.raw`a" URL="javascript:alert(1)" x="\" tooltip="b`],
  ['what Graphviz replaces in labels', String.raw`\N \G \E \T \n \l \\`],
  ['an HTML label', '<b>bold</b>'],
  ['the end of a comment', '--> <!-- ]]>'],
])('shows a name as it is that has %s', async (_what, name) => {
  const { elements, texts } = await drawing(answerOf(name))
  expect(texts).toContain(name)
  expect([...elements].toSorted()).toEqual(['g', 'path', 'polygon', 'svg', 'text', 'title'])
})

it('shows what is no character of XML as a replacement character', async () => {
  expect((await drawing(answerOf('a\0b\u001B[31m\n\uFFFE\uD800c'))).texts).toContain(
    'a\uFFFDb\uFFFD[31m\uFFFD\uFFFD\uFFFDc',
  )
})

it('is well-formed for any name, whose letters are all there', async () => {
  const name = string({ unit: 'binary', minLength: 1, maxLength: 40 })
  await assert(
    asyncProperty(name, async (service) => {
      const { texts } = await drawing(answerOf(service))
      expect(texts).toContain(service.replaceAll(/[\p{Cc}\uFFFE\uFFFF]/gu, '\uFFFD'))
    }),
  )
})

it('names the licence of the Graphviz that it contains', async () => {
  const notices = readFileSync(join(import.meta.dirname, '../../../tools/graphviz-notices.txt'), 'utf8')
  expect(notices).toContain(`Graphviz ${(await Graphviz.load()).version()}, `)
})
