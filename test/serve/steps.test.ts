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

describe('the configs written to tailscaled, in order', () => {
  it.each<[string, Parameters<typeof serveSteps>[0], ServeConfig, readonly ServeConfig[]]>([
    ['none, if nothing differs', https, structuredClone(https), []],
    ['new entries', {}, https, [https]],
    ['an empty one, to serve nothing any more', https, {}, [{}]],
    [
      'another target of a port: one write',
      tcp,
      { TCP: { 443: { TCPForward: 'y:2' } } },
      [{ TCP: { 443: { TCPForward: 'y:2' } } }],
    ],
    ['entries that are no longer wanted: one write', { ...https, Services: { 'svc:x': {} } }, https, [https]],
    ['a port that changes in kind: freed first', https, http, [{}, http]],
    ['a port that no longer terminates TLS: freed first', tls, tcp, [{}, tcp]],
    ['a port that now terminates TLS: freed first', tcp, tls, [{}, tls]],
    [
      'a changed port beside one that is freed: in the first write',
      { TCP: { ...tcp.TCP, 1: { TCPForward: 'x:1' } } },
      { ...https, TCP: { ...https.TCP, 1: { TCPForward: 'x:2' } } },
      [{ TCP: { 1: { TCPForward: 'x:2' } } }, { ...https, TCP: { ...https.TCP, 1: { TCPForward: 'x:2' } } }],
    ],
    ['a port of a foreground session: freed first', { Foreground: { s: tcp } }, https, [{}, https]],
    [
      'a foreground session on another port: one write',
      { Foreground: { s: { TCP: { 9: { HTTP: true } } } } },
      https,
      [https],
    ],
    [
      'a port of a Service that changes in kind: the Service is removed first',
      ports,
      services({ TCP: { 443: { HTTPS: true } } }),
      [others, services({ TCP: { 443: { HTTPS: true } } })],
    ],
    ['a Service that changes from ports to Tun: removed first', ports, packets, [others, packets]],
    ['a Service that changes from Tun to ports: removed first', packets, ports, [others, ports]],
  ])('%s', (_name, current, desired, steps) => {
    expect(serveSteps(current, desired, new Set())).toEqual(steps)
  })

  it('Tailscale Services that tailscaled kept over its restart are removed first, then served', () => {
    const all = { ...https, ...ports }
    expect(serveSteps(all, all, new Set(['svc:a']))).toEqual([{ ...https, ...others }, all])
    expect(serveSteps({}, ports, new Set(['svc:a', 'svc:b']))).toEqual([ports])
    expect(serveSteps(all, all, new Set())).toEqual([])
  })
})
