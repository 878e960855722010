import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { type ConfigFile, type Entry, merge, type MergeOptions } from '../../../agent/cli/kubeconfig-merge.ts'

const entry: Entry = { name: 'kube', server: 'https://kube.tail1234.ts.net' }
const usual: MergeOptions = { force: false, setCurrent: false }
const file = (text: string, path = 'one'): ConfigFile => ({ path, text })
const mergeOne = (text: string, options: Partial<MergeOptions> = {}, its = entry): string | undefined =>
  merge([file(text)], its, { ...usual, ...options })[0]?.text

/** As kubectl and people write it. */
const written = `# Mine
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: ${'QUJD'.repeat(60)}
    server: https://10.0.0.1:6443 # at home
  name: home
contexts:
- context: {cluster: home, user: me}
  name: home
current-context: home
kind: Config
preferences: {}
users:
# The old one
- name: me
  user:
    token: 0123
    unknown-field: no
`

const added = {
  cluster: { cluster: { server: entry.server }, name: 'kube' },
  user: { user: { token: 'unused' }, name: 'kube' },
  context: { context: { cluster: 'kube', user: 'kube' }, name: 'kube' },
}
const whole = {
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [added.cluster],
  users: [added.user],
  contexts: [added.context],
  'current-context': 'kube',
}

describe('a new entry', () => {
  it.each(['', '\n', '# nothing yet\n', '---\n', 'null\n'])('makes all of a kubeconfig from %j', (text) => {
    expect(parse(mergeOne(text) ?? '')).toEqual(whole)
  })

  it('only adds lines to what people and kubectl write', () => {
    const lines = mergeOne(written)!.split('\n')
    const more = lines.splice(lines.indexOf('- cluster:', 5), 3)
    more.push(...lines.splice(lines.indexOf('- context:'), 4))
    more.push(...lines.splice(lines.lastIndexOf('- user:'), 3))
    expect(lines.join('\n')).toBe(written)
    expect(more).toEqual(
      [
        `- cluster:|    server: ${entry.server}|  name: kube`,
        '- context:|    cluster: kube|    user: kube|  name: kube',
        '- user:|    token: unused|  name: kube',
      ].flatMap((item) => item.split('|')),
    )
  })

  it.each(['clusters:', 'clusters: []', 'clusters: null', 'clusters: ~', 'current-context: ""'])(
    'takes %s as absent',
    (text) => {
      expect(parse(mergeOne(`apiVersion: v1\nkind: Config\n${text}\n`)!)).toEqual(whole)
    },
  )

  it.each([undefined, 1, 3])('keeps JSON as JSON, indented by %s', (indent) => {
    const { clusters, ...rest } = whole
    const before = { ...rest, users: [], contexts: [], preferences: { colors: true }, clusters }
    const text = mergeOne(`${JSON.stringify(before, null, indent)}\n`)!
    const after = { ...before, users: [added.user], contexts: [added.context] }
    expect(text).toBe(`${JSON.stringify(after, null, indent)}\n`)
  })

  it('quotes names that are a number or a truth value otherwise', () => {
    for (const name of ['123', 'true', 'no', 'y', '1e3', '0x1f', '-', '2026-11-30'])
      expect(mergeOne('', {}, { ...entry, name })).toContain(`current-context: "${name}"`)
  })
})

it('what is there for the same server is left as it is, with its own credentials', () => {
  const text = `${mergeOne('')!.replace('token: unused', 'token: abc')}# end\n`
  expect(mergeOne(text)).toBeUndefined()
  expect(mergeOne(text.replace('.ts.net', '.ts.net/'))).toBeUndefined()
})

it('what is missing of an entry is added under the names that its context has', () => {
  const text = 'contexts:\n- name: kube\n  context: {cluster: c, user: u, namespace: shop}\n'
  expect(parse(mergeOne(text)!)).toEqual({
    contexts: parse(text).contexts,
    clusters: [{ ...added.cluster, name: 'c' }],
    users: [{ ...added.user, name: 'u' }],
    'current-context': 'kube',
  })
})

it('the current context changes only when asked', () => {
  expect(parse(mergeOne(written)!)['current-context']).toBe('home')
  const current = mergeOne(written, { setCurrent: true })!
  expect(parse(current)['current-context']).toBe('kube')
  expect(mergeOne(current, { setCurrent: true })).toBeUndefined()
})

describe('an entry of that name for something else', () => {
  const cluster =
    'clusters: [{name: kube, cluster: {server: "https://me:secret@10.0.0.1:6443/", tls-server-name: x}}]\n'
  const user = 'users: [{name: kube, user: {client-certificate-data: secret, client-key-data: secret}}]\n'
  const context = 'contexts: [{name: kube, context: {cluster: kube, user: kube, namespace: shop}}]\n'
  it.each([
    [cluster, 'for "https://10.0.0.1:6443"'],
    [user, 'with client-certificate-data as credentials'],
    [cluster + user + context, 'for "https://10.0.0.1:6443", with client-certificate-data as credentials'],
    ['clusters: [{name: kube, cluster: {}}]\n', 'for no address'],
    ['users: [{name: kube, user: {token: unused, secret: x}}]\n', 'with token as credentials'],
  ])('is replaced only by force: %j', (text, what) => {
    const remedy = 'Choose another name by --context=NAME, or replace it by --force.'
    expect(() => mergeOne(text)).toThrow(
      expect.objectContaining({ code: 'kubeconfig', remedy, message: expect.stringContaining(what) }),
    )
    expect(() => mergeOne(text)).not.toThrow(/secret/)
    const { apiVersion: _, kind: _kind, ...lists } = whole
    expect(parse(mergeOne(text, { force: true })!)).toEqual(lists)
  })

  it('does not matter under another name', () => {
    expect(parse(mergeOne(cluster, {}, { ...entry, name: 'other' })!).clusters).toHaveLength(2)
  })
})

describe('several files', () => {
  const [first, second] = [file('kind: Config\n', 'one'), file(written, 'two')]

  it('what is new goes into the first, and a current context of another one counts', () => {
    const [changed, ...others] = merge([first, second], entry, usual)
    expect(others).toEqual([])
    const { apiVersion: _, 'current-context': _current, ...rest } = whole
    expect([changed!.path, parse(changed!.text)]).toEqual(['one', rest])
  })

  it('what exists is changed where it is, the first of that name', () => {
    const [one] = merge([second], { ...entry, name: 'home' }, { ...usual, force: true })
    const changed = merge(
      [first, second, file(written, 'three')],
      { ...entry, name: 'home' },
      { ...usual, force: true },
    )
    expect(changed.map(({ path }) => path).toSorted()).toEqual(['one', 'two'])
    const [user, rest] = changed.toSorted((a, b) => (a.path < b.path ? -1 : 1))
    expect(parse(user!.text)).toEqual({ kind: 'Config', users: [{ ...added.user, name: 'home' }] })
    expect(parse(rest!.text).clusters).toEqual(parse(one!.text).clusters)
  })
})

describe('refuses what it could damage, without a word of it', () => {
  it.each([
    ['secret: [', /line \d+ is not valid: /],
    ['a: 1\nsecret: 2\nsecret: 3\n', /line 3 is not valid: duplicate key/],
    ['a: 1\n---\nb: secret\n', /is not valid: multiple docs/],
    ['secret', /not a mapping of fields/],
    ['- secret', /not a mapping of fields/],
    ['kind: Secret\nsecret: x', /kind is not Config/],
    ['apiVersion: v2', /apiVersion is not v1/],
    ['clusters: secret', /clusters is not a list/],
    ['users: {secret: x}', /users is not a list/],
    ['users: [secret]', /users\[0\] is not a mapping/],
    ['users: [{name: a}, {user: {token: secret}}]', /users\[1\] has no name/],
    ['{"users": [{"name": 7}]}', /users\[0\] has no name/],
    ['users: [{name: a, user: {token: secret}}, {name: a}]', /users has the name "a" twice/],
    ['x: *secret\n', /an alias in it cannot be followed/],
    ['x: &a []\nclusters: *a', /clusters is not a list/],
    ['x: &a {name: b}\nclusters: [*a]', /clusters\[0\] is not a mapping/],
  ])('%j', (text, message) => {
    expect(() => mergeOne(text)).toThrow(message)
    expect(() => mergeOne(text)).toThrow(expect.objectContaining({ code: 'kubeconfig' }))
    expect(() => mergeOne(text)).not.toThrow(/secret/)
  })
})

describe('any kubeconfig', () => {
  const word = fc.stringMatching(/^[ -~]{1,12}$/)
  const value = fc.oneof(word, fc.constantFrom('no', '0123', 'null', '', 'a\nb\n', ' x', '# y'), fc.boolean())
  const fields = fc.dictionary(word, value, { maxKeys: 3 })
  const list = (key: string) =>
    fc.uniqueArray(fc.record({ name: word, [key]: fields }), { selector: ({ name }) => name, maxLength: 4 })
  const config = fc.record({
    apiVersion: fc.constant('v1'),
    extensions: fields,
    clusters: list('cluster'),
    users: list('user'),
    contexts: list('context'),
  })
  const its = 'the-new-one'
  const styles = fc.record({
    indentSeq: fc.boolean(),
    indent: fc.constantFrom(2, 4),
    lineWidth: fc.constantFrom(0, 40),
    collectionStyle: fc.constantFrom('any' as const, 'flow' as const),
  })

  it('has all that it had, and the entry; once more changes nothing', () => {
    fc.assert(
      fc.property(config, styles, fc.boolean(), (before, style, asJson) => {
        const text = asJson ? JSON.stringify(before) : stringify(before, style)
        const after = mergeOne(text, {}, { ...entry, name: its })!
        expect(asJson ? JSON.parse(after) : parse(after)).toEqual({
          ...before,
          clusters: [...before.clusters, { ...added.cluster, name: its }],
          users: [...before.users, { ...added.user, name: its }],
          contexts: [...before.contexts, { name: its, context: { cluster: its, user: its } }],
          'current-context': its,
        })
        expect(mergeOne(after, {}, { ...entry, name: its })).toBeUndefined()
      }),
    )
  })
})
