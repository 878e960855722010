import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { joinServices } from '../../../operator/l7-ingress/join.ts'
import { specOf } from '../../../operator/objects/service.ts'
import { service } from '../a-world.ts'

const options = { web: [443], hasUdp: true, clusterDomain: 'cluster.local' }
type Services = readonly KubeObject[]
const join = (...all: Services) => joinServices(all, options)
const forwards = (...all: Services) => Object.fromEntries([...join(...all).tcp].map(([port, { to }]) => [port, to]))
const udp = (...all: Services) => join(...all).udp.map(({ name, value }) => `${name}=${value}`)
const shares = (...all: Services) => Object.fromEntries(join(...all).shares)

const db = service('db', { ports: [{ port: 5432, targetPort: 'pg' }] })
const dns = service('dns', {
  clusterIP: '10.96.0.53',
  clusterIPs: ['10.96.0.53', 'fd96::53'],
  ports: [
    { port: 53, protocol: 'TCP', targetPort: 5353 },
    { port: 53, protocol: 'UDP', targetPort: 5353 },
    { port: 5300, protocol: 'UDP' },
  ],
})

describe('ports of TCP', () => {
  it('of several Services lead to the cluster IP of each', () => {
    expect(forwards(db, dns)).toEqual({ 5432: '10.96.0.9:5432', 53: '10.96.0.53:53' })
    expect(forwards(service('six', { clusterIP: 'fd96::9' }))).toEqual({ 80: '[fd96::9]:80' })
  })

  it('carry the PROXY protocol that the Service asks for', () => {
    const of = (annotation: string) =>
      join(service('db', {}, { annotations: { 'culvert/proxy-protocol': annotation } }))
    expect(of('2').tcp.get(80)).toEqual({ to: '10.96.0.9:80', proxyProtocol: 2 })
    expect(of('1').tcp.get(80)?.proxyProtocol).toBe(1)
    // Without it, the backend would take the beginning of a connection for the header.
    expect(of('x')).toMatchObject({
      tcp: new Map(),
      shares: new Map([['apps/db', { problems: [expect.stringContaining('tcp/80')] }]]),
    })
  })

  it('of a headless Service lead to the port of its Pods, which must be a number', () => {
    const ports = [
      { port: 80, targetPort: 8080 },
      { port: 81, targetPort: 'web' },
    ]
    const headless = service('pods', { clusterIP: 'None', ports })
    expect(forwards(headless)).toEqual({ 80: 'pods.apps.svc.cluster.local:8080' })
    expect(shares(headless)['apps/pods']).toEqual({
      forwarded: ['tcp/80'],
      problems: ['tcp/81: only Pods know their port "web", and a headless Service needs its number as targetPort'],
    })
  })

  it('of an external name lead there', () => {
    const external = service('ext', {
      type: 'ExternalName',
      externalName: 'db.example.com',
      clusterIP: '',
      clusterIPs: [],
    })
    expect(forwards(external)).toEqual({ 80: 'db.example.com:80' })
  })
})

describe('ports of UDP', () => {
  it('are forwarded by the agent, to all cluster IPs', () => {
    expect(udp(db, dns)).toEqual(['TS_DEST_IP=10.96.0.53,fd96::53', 'CULVERT_DEST_PORTS=udp/53,udp/5300'])
    expect(udp(db)).toEqual([])
  })

  it('of a headless Service are forwarded by its name', () => {
    const headless = service('dns', { clusterIP: 'None', ports: [{ port: 53, protocol: 'UDP', targetPort: 5353 }] })
    expect(udp(headless)).toEqual([
      'TS_EXPERIMENTAL_DEST_DNS_NAME=dns.apps.svc.cluster.local',
      'CULVERT_DEST_PORTS=udp/53:5353',
    ])
  })

  it('are those of one Service, the oldest', () => {
    const later = service('quic', { ports: [{ port: 443, protocol: 'UDP' }, { port: 8080 }] })
    expect(udp(later, dns)).toEqual(udp(dns))
    expect(shares(later, dns)['apps/quic']).toEqual({
      forwarded: ['tcp/8080'],
      problems: ['udp/443: the node forwards UDP of one Service, which is Service "apps/dns"'],
    })
  })
})

describe('a port is not forwarded', () => {
  it('of UDP by Tailscale’s agent', () => {
    const joined = joinServices([dns], { ...options, hasUdp: false })
    expect(joined.udp).toEqual([])
    expect(joined.shares.get('apps/dns')).toMatchObject({
      forwarded: ['tcp/53'],
      problems: [expect.stringContaining('udp/53'), expect.stringContaining('udp/5300')],
    })
  })

  it('if the Ingress has it', () => {
    const of = (web: readonly number[]) =>
      joinServices([service('web', { ports: [{ port: 80 }, { port: 443 }] })], { ...options, web }).shares.get(
        'apps/web',
      )
    expect(of([443])).toEqual({ forwarded: ['tcp/80'], problems: ['tcp/443: taken by the Ingress'] })
    expect(of([443, 80])?.forwarded).toEqual([])
  })

  it('if an older Service has it, whatever the order', () => {
    const [old, young] = [service('old'), service('young')]
    for (const order of [
      [old, young],
      [young, old],
    ]) {
      expect(shares(...order)).toEqual({
        'apps/old': { forwarded: ['tcp/80'], problems: [] },
        'apps/young': { forwarded: [], problems: ['tcp/80: taken by Service "apps/old"'] },
      })
    }
  })

  it('of SCTP, and if there is none', () => {
    expect(shares(service('s', { ports: [{ port: 9, protocol: 'SCTP' }] }))).toEqual({
      'apps/s': { forwarded: [], problems: ['sctp/9: only TCP and UDP can be forwarded'] },
    })
    expect(shares(service('s', { ports: [] }))['apps/s']?.problems).toEqual(['the Service lists no ports'])
  })
})

it('each port of any Services is either forwarded for one of them, or told with the reason', () => {
  const ports = fc.array(
    fc.record({ port: fc.integer({ min: 440, max: 446 }), protocol: fc.constantFrom('TCP', 'UDP', 'SCTP') }),
    { minLength: 1, maxLength: 4 },
  )
  fc.assert(
    fc.property(fc.array(ports, { maxLength: 5 }), (each) => {
      const services = each.map((list, index) =>
        service(`s${index}`, { ports: [...new Map(list.map((one) => [`${one.protocol}/${one.port}`, one])).values()] }),
      )
      const joined = join(...services)
      const forwarded = [...joined.shares.values()].flatMap((share) => share.forwarded)
      expect(new Set(forwarded).size).toBe(forwarded.length)
      expect(forwarded).not.toContain('tcp/443')
      expect(joined.tcp.size).toBe(forwarded.filter((name) => name.startsWith('tcp/')).length)
      for (const [key, { forwarded: has, problems }] of joined.shares) {
        const own = services.find(({ metadata }) => `apps/${metadata.name}` === key)!
        expect(has.length + problems.length).toBe(specOf(own).ports?.length)
      }
    }),
  )
})
