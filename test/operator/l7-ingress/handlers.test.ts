import { describe, expect, it } from 'vitest'
import { handlersOf } from '../../../operator/l7-ingress/handlers.ts'
import { ingress } from '../a-world.ts'

/** A path of a rule, as `Prefix /a b`: the backend b, which is missing if its name is `gone`. */
const path = (text: string) => {
  const [pathType = '', at = '', name = ''] = text.split(' ')
  return { pathType, path: at, backend: { service: { name } } }
}
const backendOf = (name: string) => ({ service: { name } })

type Backend = { readonly service?: { readonly name: string } }
const originOf = ({ service }: Backend) =>
  service?.name === 'gone' ? { problem: 'there is no Service "gone"' } : { url: `http://${service?.name}` }

const handlers = (spec: Readonly<Record<string, unknown>>) => handlersOf(ingress('web', spec), originOf)
const served = (paths: readonly string[], fallback?: string) =>
  handlers({
    rules: [{ http: { paths: paths.map(path) } }],
    ...(fallback !== undefined && { defaultBackend: backendOf(fallback) }),
  })
const entries = (...args: Parameters<typeof served>) => Object.fromEntries(served(...args).handlers)
const told = (...args: Parameters<typeof served>) =>
  served(...args).events.map(({ reason, message }) => `${reason}: ${message}`)

describe('a prefix', () => {
  it('is passed on to its backend with its path', () => {
    expect(entries(['Prefix /api a', 'ImplementationSpecific /old/ b'], 'c')).toEqual({
      '/': 'http://c/',
      '/api': 'http://a/api',
      '/old/': 'http://b/old/',
    })
  })

  it('is written in the URL so that no character ends the path', () => {
    expect(entries(['ImplementationSpecific /a?b#c%d{ä a'])).toEqual({
      '/a?b#c%d{ä': 'http://a/a%3Fb%23c%25d%7B%C3%A4',
    })
  })

  it('that is empty is the whole site', () => {
    expect(
      Object.fromEntries(handlers({ rules: [{ http: { paths: [{ backend: backendOf('a') }] } }] }).handlers),
    ).toEqual({
      '/': 'http://a/',
    })
  })

  it('"/" of a rule replaces the default backend, also if its own is missing', () => {
    expect(entries(['Prefix / a'], 'b')).toEqual({ '/': 'http://a/' })
    expect(entries(['Prefix / gone', 'Prefix /a a'], 'b')).toEqual({ '/a': 'http://a/a' })
  })

  it('without a backend is left out', () => {
    expect(entries(['Prefix /a a', 'Prefix /b gone'])).toEqual({ '/a': 'http://a/a' })
    expect(told(['Prefix /a a', 'Prefix /b gone'])).toEqual([
      'InvalidIngressBackend: not served: path "/b": there is no Service "gone"',
    ])
  })

  it('without a backend gets no answer from the backend of a path above it', () => {
    expect(entries(['Prefix /admin gone', 'Prefix /admin/help b'], 'a')).toEqual({
      '/': 'http://a/',
      '/admin': 'http://127.0.0.1:1',
      '/admin/help': 'http://b/admin/help',
    })
  })
})

describe('an exact path', () => {
  it('is served where a path above serves all below it', () => {
    expect(entries(['Exact /a/b a'], 'b')).toEqual({
      '/': 'http://b/',
      '/a/b': 'http://a/a/b',
      '/a/b/': 'http://b/a/b/',
    })
    expect(told(['Exact /a/b a'], 'b')).toEqual([])
  })

  it.each([
    ['the nearest path above', ['Exact /a/b/c x', 'Prefix /a y', 'Prefix / z'], 'http://y/a/b/c/'],
    ['the same path as a prefix', ['Exact /a/b/c x', 'Prefix /a/b/c y', 'Prefix / z'], 'http://y/a/b/c/'],
    ['the same path with a slash', ['Exact /a/b/c x', 'Prefix /a/b/c/ y', 'Prefix / z'], 'http://y/a/b/c/'],
    ['a path with a slash', ['Exact /a/b/c x', 'Prefix /a/ y', 'Prefix / z'], 'http://y/a/b/c/'],
    ['no path that only begins alike', ['Exact /a/b/c x', 'Prefix /a/b/ca y', 'Prefix / z'], 'http://z/a/b/c/'],
  ])('leaves what is below to %s', (_what, paths, below) => {
    expect(entries(paths)).toMatchObject({ '/a/b/c': 'http://x/a/b/c', '/a/b/c/': below })
  })

  it.each([
    ['nothing serves what is below', ['Exact /a x', 'Prefix /b y'], { '/b': 'http://y/b' }],
    ['it is the whole site', ['Exact / x', 'Prefix /b y'], { '/b': 'http://y/b' }],
    ['it ends with a slash', ['Exact /a/ x', 'Prefix / y'], { '/': 'http://y/' }],
    ['only a path without backend is above', ['Exact /a x', 'Prefix / gone'], {}],
  ])('is never a prefix: it is left out if %s', (_what, paths, expected) => {
    expect(entries(paths)).toEqual(expected)
    expect(told(paths).at(-1)).toMatch(/^UnsupportedPathTypeExact: .*"\/a?\/?"/)
  })

  it('without a backend gets no answer from the backend of a path above it, which keeps what is below', () => {
    expect(entries(['Exact /a gone'], 'b')).toEqual({
      '/': 'http://b/',
      '/a': 'http://127.0.0.1:1',
      '/a/': 'http://b/a/',
    })
  })
})

describe('a host', () => {
  const paths = [path('Prefix / a')]
  const tls = [{ hosts: ['app.example.com'] }]

  it('is that of spec.tls, or none', () => {
    const rules = [
      { host: 'app.example.com', http: { paths } },
      { http: { paths: [path('Prefix / b'), path('Prefix /b b')] } },
    ]
    expect(Object.fromEntries(handlers({ tls, rules }).handlers)).toEqual({ '/': 'http://a/', '/b': 'http://b/b' })
  })

  it.each([
    ['another one', tls, 'not served: host "b.example.com": the first host of spec.tls is "app.example.com"'],
    ['one without spec.tls', undefined, 'not served: host "b.example.com": spec.tls has no host'],
  ])('is ignored if it is %s', (_what, given, message) => {
    const result = handlers({ tls: given, rules: [{ host: 'b.example.com', http: { paths } }] })
    expect(result.handlers.size).toBe(0)
    expect(result.events).toEqual([{ type: 'Warning', reason: 'InvalidIngressBackend', message }])
  })

  it('without paths is that of the default backend', () => {
    const rules = [{ host: 'app.example.com' }, { http: {} }, {}]
    expect(Object.fromEntries(handlers({ tls, rules, defaultBackend: backendOf('a') }).handlers)).toEqual({
      '/': 'http://a/',
    })
    expect(handlers({ tls, rules })).toEqual({ handlers: new Map(), events: [] })
  })
})

it('a thousand rules cause one Event for each thing that is wrong', () => {
  const rules = Array.from({ length: 1000 }, (_, index) => ({
    http: { paths: [path(`Prefix /${index} ${index % 2 === 0 ? 'a' : 'gone'}`), path(`Exact /${index}/x b`)] },
  }))
  const { handlers: all, events } = handlers({ rules })
  expect(all.size).toBe(500 + 1000)
  expect(events.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^not served: path "\/1".*and 497 more$/),
    expect.stringMatching(/"\/1\/x".*and 497 more/),
  ])
})

it('says once that paths are empty', () => {
  const empty = { backend: backendOf('a') }
  expect(handlers({ rules: [{ http: { paths: [empty, empty] } }] }).events).toEqual([
    { type: 'Normal', reason: 'PathUndefined', message: 'a path is empty: it is taken for "/"' },
  ])
})
