import { expect, test } from 'vitest'
import { parseAddress } from '../../lib/address.ts'
import { inTurn } from '../../relay/choose.ts'

const address = (text: string) => parseAddress(text)!
const texts = (targets: readonly string[], ...random: readonly number[]): readonly string[] => {
  const rest = [...random]
  return inTurn(targets.map(address), 80, () => rest.shift() ?? 0).map(
    ({ address: { text }, port }) => `${text} ${port}`,
  )
}

test('all targets are tried, in an order of their own for each connection', () => {
  expect(texts(['10.0.0.1', '10.0.0.2', '10.0.0.3'], 0.9, 0.1, 0.5)).toEqual([
    '10.0.0.2 80',
    '10.0.0.3 80',
    '10.0.0.1 80',
  ])
  expect(texts([])).toEqual([])
})

test('IPv4 is tried first', () => {
  expect(texts(['fd00::1', '10.0.0.1'], 0, 0.99)).toEqual(['10.0.0.1 80', 'fd00::1 80'])
})

test('each target gets an equal share', () => {
  const targets = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(address)
  const first = Array.from({ length: 3000 }, () => inTurn(targets, 80, Math.random)[0]!.address.text)
  for (const { text } of targets) expect(Math.abs(first.filter((one) => one === text).length - 1000)).toBeLessThan(200)
})
