import { describe, expect, it } from 'vitest'
import { serveSteps } from '../../serve/steps.ts'
import type { ServeConfig } from '../../wire/serve-config.ts'

const site = { Handlers: { '/': { Text: 'x' } } }
const https: ServeConfig = { TCP: { 443: { HTTPS: true } }, Web: { 'a.b:443': site } }
const http: ServeConfig = { TCP: { 443: { HTTP: true } }, Web: { 'a.b:443': site } }
const tcp: ServeConfig = { TCP: { 443: { TCPForward: 'x:1' } } }
const tls: ServeConfig = { TCP: { 443: { TCPForward: 'x:1', TerminateTLS: 'a.b' } } }
const services = (service: NonNullable<ServeConfig['Services']>[string]): ServeConfig => ({
  Services: { 'svc:a': service, 'svc:b': {} },
})
const [ports, packets] = [services({ TCP: { 443: { HTTP: true } } }), services({ Tun: true })]
const others = { Services: { 'svc:b': {} } }

describe('what tailscaled is given', () => {
  it.each<[string, Parameters<typeof serveSteps>[0], ServeConfig, readonly ServeConfig[]]>([
    ['nothing where nothing differs', https, structuredClone(https), []],
    ['what is new', {}, https, [https]],
    ['nothing, to serve nothing any more', https, {}, [{}]],
    [
      'a port that leads elsewhere, at once',
      tcp,
      { TCP: { 443: { TCPForward: 'y:2' } } },
      [{ TCP: { 443: { TCPForward: 'y:2' } } }],
    ],
    ['what is served without being wanted', { ...https, Services: { 'svc:x': {} } }, https, [https]],
    ['a port that becomes another kind, once it is free', https, http, [{}, http]],
    ['the same with TLS of bytes', tls, tcp, [{}, tcp]],
    ['and the other way round', tcp, tls, [{}, tls]],
    [
      'only such ports wait',
      { TCP: { ...tcp.TCP, 1: { TCPForward: 'x:1' } } },
      { ...https, TCP: { ...https.TCP, 1: { TCPForward: 'x:2' } } },
      [{ TCP: { 1: { TCPForward: 'x:2' } } }, { ...https, TCP: { ...https.TCP, 1: { TCPForward: 'x:2' } } }],
    ],
    ['a port that a session of somebody has', { Foreground: { s: tcp } }, https, [{}, https]],
    ['a session on another port', { Foreground: { s: { TCP: { 9: { HTTP: true } } } } }, https, [https]],
    [
      'a Service whose port becomes another kind',
      ports,
      services({ TCP: { 443: { HTTPS: true } } }),
      [others, services({ TCP: { 443: { HTTPS: true } } })],
    ],
    ['a Service that passes packets now', ports, packets, [others, packets]],
    ['and one that has ports again', packets, ports, [others, ports]],
  ])('%s', (_name, current, desired, steps) => {
    expect(serveSteps(current, desired, new Set())).toEqual(steps)
  })

  it('Tailscale Services recreate, where tailscaled has kept them over its start', () => {
    const all = { ...https, ...ports }
    expect(serveSteps(all, all, new Set(['svc:a']))).toEqual([{ ...https, ...others }, all])
    expect(serveSteps({}, ports, new Set(['svc:a', 'svc:b']))).toEqual([ports])
    expect(serveSteps(all, all, new Set())).toEqual([])
  })
})
