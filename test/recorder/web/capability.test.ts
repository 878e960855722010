import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { capability, mayOf } from '../../../recorder/web/capability.ts'
import { lookingGrants } from './documented.ts'

const node = { name: 'prod-k8s.lab.ts.net', tags: ['tag:k8s'] }
const peer = (rules: unknown, of: object = {}) => ({
  capabilities: { [capability]: rules },
  login: 'Alice@example.com',
  tags: [] as readonly string[],
  ...of,
})
/** Of these people, which recordings may be seen, at that node. */
const seen = (rules: unknown, of?: object): string[] => {
  const may = mayOf(peer(rules, of))
  const people = ['alice@example.com', 'bob@example.com', 'eve@other.com', 'tag:ci tag:eu', '']
  return people.filter((who) => may({ who, node: 'nProxy' }, node))
}

describe('whose recordings somebody may see', () => {
  it.each([
    ['all', [{ who: ['*'] }], ['alice@example.com', 'bob@example.com', 'eve@other.com', 'tag:ci tag:eu', '']],
    ['the own ones', [{ who: ['self'] }], ['alice@example.com']],
    ['those of a person, in any case', [{ who: ['BOB@example.com'] }], ['bob@example.com']],
    ['those of a domain', [{ who: ['*@example.com'] }], ['alice@example.com', 'bob@example.com']],
    ['those of devices with a tag', [{ who: ['tag:ci'] }], ['tag:ci tag:eu']],
    ['those of several rules', [{ who: ['self'] }, { who: ['tag:eu'] }], ['alice@example.com', 'tag:ci tag:eu']],
    ['those at a node, by its name', [{ who: ['self'], nodes: ['prod-k8s.lab.ts.net'] }], ['alice@example.com']],
    ['… by its stable ID', [{ who: ['self'], nodes: ['nproxy'] }], ['alice@example.com']],
    ['… by its tag', [{ who: ['self'], nodes: ['tag:k8s'] }], ['alice@example.com']],
    ['none at other nodes', [{ who: ['*'], nodes: ['tag:db', 'k8s.lab.ts.net'] }], []],
    ['none at no nodes', [{ who: ['*'], nodes: [] }], []],
    ['none of nobody', [{ who: [] }], []],
  ])('%s', (_what, rules, people) => {
    expect(seen(rules)).toEqual(people)
  })

  it('is as docs/recorder.md says of its example', () => {
    const [security, devs] = lookingGrants.map(({ app }) => app[capability])
    expect(seen(security)).toHaveLength(5)
    expect(seen(devs)).toEqual(['alice@example.com'])
    const staging = { name: 's.lab.ts.net', tags: ['tag:staging'] }
    const may = mayOf(peer(devs))
    expect([
      may({ who: 'bob@example.com', node: 'nS' }, staging),
      may({ who: 'eve@other.com', node: 'nS' }, staging),
    ]).toEqual([true, false])
  })

  it('a device with tags is nobody’s, so nothing is its own', () => {
    expect(seen([{ who: ['self'] }], { tags: ['tag:ci'] })).toEqual([])
    expect(seen([{ who: ['self'] }], { login: undefined })).toEqual([])
  })

  it('a node that is not in the tailnet any more has only its ID', () => {
    const may = (nodes: readonly string[]) =>
      mayOf(peer([{ who: ['*'], nodes }]))({ who: '', node: 'nGone' }, undefined)
    expect([may(['ngone']), may(['tag:k8s']), may(['*'])]).toEqual([true, false, true])
  })
})

describe('without rules that can be relied on, nobody sees anything', () => {
  it.each([[undefined], [null], [{}], [{ [capability]: [] }], [{ 'tailscale.com/cap/kubernetes': [{ who: ['*'] }] }]])(
    'capabilities %j',
    (capabilities) => {
      expect(() => mayOf({ ...peer([]), capabilities })).toThrow('does not grant')
    },
  )

  it.each([
    ['x'],
    [null],
    [{ who: ['*'] }],
    [['x']],
    [[null]],
    [[[]]],
    [[{}]],
    [[{ who: '*' }]],
    [[{ who: ['a', 1] }]],
    [[{ who: [''] }]],
    [[{ who: ['a*b'] }]],
    [[{ who: ['a b'] }]],
    [[{ who: null }]],
    [[{ who: ['*'], nodes: null }]],
    [[{ who: ['*'], nodes: 'x' }]],
    [[{ who: ['*'] }, { who: ['*'], only: ['x'] }]],
    [[{ who: ['*'] }, 1]],
    [Array.from({ length: 1001 }, () => ({ who: ['*'] }))],
  ])('rules %j', (rules) => {
    expect(() => mayOf(peer(rules))).toThrow('cannot be used')
  })

  it('whatever the capability is, it throws or is as documented', () => {
    const some = fc.anything({ key: fc.constantFrom('who', 'nodes', '__proto__', 'x'), maxDepth: 4 })
    fc.assert(
      fc.property(some, (rules) => {
        try {
          mayOf(peer(rules))
        } catch (error) {
          expect(error).toMatchObject({ status: 403, reason: 'policy' })
          return
        }
        expect(Array.isArray(rules) && rules.length > 0).toBe(true)
        for (const rule of rules as object[]) expect(Object.keys(rule)).toContain('who')
      }),
    )
  })
})
