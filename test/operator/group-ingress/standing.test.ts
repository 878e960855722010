import { describe, expect, it, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { ingressUse } from '../../../operator/group-ingress/ingress-use.ts'
import { recordObject, readRecord } from '../../../operator/group-ingress/record.ts'
import { domainOf } from '../../../operator/group-ingress/replicas.ts'
import { settings } from '../a-world.ts'
import { app, certificate, db, endpoints, mapping, recordFor, replica, site, viewOf } from './a-group.ts'

const condition = (...objects: readonly KubeObject[]) => ingressUse.report?.(viewOf(...objects)).conditions[0]

const recorded = [app(), site, recordFor('ingress', 'app')]
const served = [...recorded, certificate('pem')]
const exposed = [db(), recordFor('svc', 'db'), endpoints('db', true)]
const forwarding = { forwarded: { 'svc:db': mapping } }

describe('the condition of a group', () => {
  it('names what each use lacks', () => {
    const running = replica('group-0', forwarding)
    const { status, message } = condition(...recorded, certificate(''), db(), recordFor('svc', 'db'), ...running)!
    expect(status).toBe('False')
    expect(message).toMatch(
      /Ingress "apps\/app" waits for a certificate for app\.example\.ts\.net: group-0 requests it/,
    )
    expect(message).toMatch(/Service "apps\/db" waits for a Pod of the Service that is ready/)
  })

  it('says why a certificate was refused, and when it is asked for again', () => {
    const domains = {
      'app.example.ts.net': { failures: 2, notBefore: '2026-01-02T03:04:05.000Z', reason: 'rate-limit' },
    }
    const running = replica('group-0', { certificates: { version: 1, domains } })
    const { message } = condition(...recorded, certificate(''), ...running)!
    expect(message).toContain(
      'the last request failed (rate-limit); group-0 makes the next one at 2026-01-02T03:04:05Z',
    )
  })

  it('says that a certificate waits for approval', () => {
    const { message } = condition(...recorded, certificate(''), ...replica('group-0', { accepted: [] }))!
    expect(message).toContain('group-0 requests it once the tailnet accepts it as a host of svc:app, by autoApprovers')
  })

  it('says that nobody requests a certificate while the first replica does not run', () => {
    expect(condition(...recorded, certificate(''))?.message).toContain('group-0, which requests it, does not run')
  })

  it('is well when all that it hosts is advertised by some replica', () => {
    const advertised = ['svc:app', 'svc:db']
    const running = replica('group-0', { ...forwarding, advertised })
    expect(condition(...served, ...exposed, ...running)).toMatchObject({
      status: 'True',
      message: 'replicas advertise all 2 Tailscale Services',
    })
  })
})

test('the domain of the tailnet is that of the first replica whose name can be one', () => {
  const state = replica('group-0').find(({ kind, metadata }) => kind === 'Secret' && metadata.name === 'group-0')
  const named = (fqdn: string): KubeObject => {
    const data = { ...(state!['data'] as object), device_fqdn: Buffer.from(fqdn).toString('base64') }
    return { ...state!, data }
  }
  const others = replica('group-1')
  expect(domainOf(viewOf(named('group-0.lab.ts.net.'), ...others))).toBe('lab.ts.net')
  for (const none of ['group-0.a/../b', 'group-0.Lab..net', `group-0.${'a.'.repeat(200)}net`, ''])
    expect(domainOf(viewOf(named(none), ...others))).toBe('example.ts.net')
})

test('a record is read as it was written', () => {
  for (const more of [
    {},
    { former: ['a', 'b'], leaving: ['c'] },
    { leaving: ['a'] },
    { fqdn: undefined },
    { refused: 'x' },
    { addresses: [] },
  ]) {
    const object = recordFor('svc', 'db', more)
    expect(recordObject(readRecord(object)!, settings.namespace)).toEqual(object)
  }
})
