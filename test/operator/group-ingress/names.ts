import { expect, test } from 'vitest'
import { type GroupBed, ingress } from './group-bed.ts'

const both = (services: string): readonly string[] => [services, services]
const https = [{ port: 443, protocol: 'TCP' }]

/** Tests of other names for the Ingress `wiki` and the Service `db`, which two replicas of the group `one` host. */
export function testNames(here: () => GroupBed): void {
  test('with another name the one before stays as it is as long as the new one does not work', async () => {
    const before = await here().service('svc:wiki')
    here().at.agents.fault('one-0', 'no-https')
    await here().cluster.apply(ingress('wiki', 'pages'))
    await expect
      .poll(() => here().told('Ingress', 'IngressNotServed'))
      .toContainEqual(expect.stringMatching(/^as svc:wiki, while svc:pages waits for a certificate/))
    expect(await here().advertised('one')).toEqual(both('svc:db,svc:wiki'))
    expect(await here().entries('ingress', 'wiki')).toEqual([{ hostname: 'wiki.lab.ts.net', ports: https }])
    // The user thinks better of it.
    await here().cluster.apply(ingress('wiki', 'wiki'))
    await expect.poll(() => here().service('svc:pages')).toBeUndefined()
    await expect.poll(async () => (await here().made()).filter((one) => one.includes('pages'))).toEqual([])
    expect(await here().advertised('one')).toEqual(both('svc:db,svc:wiki'))
    expect((await here().service('svc:wiki'))?.addresses).toEqual(before?.addresses)
    here().at.agents.fault('one-0', undefined)
  })

  test('with another name the one before goes when the new one works', async () => {
    await here().annotate('service', 'db', { 'tailscale.com/hostname': 'store' })
    await expect.poll(() => here().service('svc:db')).toBeUndefined()
    expect(await here().service('svc:store')).toBeDefined()
    await here().cluster.apply(ingress('wiki', 'pages'))
    await expect.poll(() => here().entries('ingress', 'wiki')).toEqual([{ hostname: 'pages.lab.ts.net', ports: https }])
    await expect.poll(() => here().advertised('one')).toEqual(both('svc:pages,svc:store'))
    await expect
      .poll(() => here().made())
      .toEqual([
        'configmap/tailscale-service-pages',
        'configmap/tailscale-service-store',
        'secret/pages.lab.ts.net',
        'role.rbac.authorization.k8s.io/pages.lab.ts.net',
        'rolebinding.rbac.authorization.k8s.io/pages.lab.ts.net',
      ])
  })
}
