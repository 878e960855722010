import { describe, expect, it } from 'vitest'
import type { UserError } from '../../../kube/controller/controller.ts'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { describe as told } from '../../../lib/errors.ts'
import { askOf } from '../../../operator/group-ingress/ask.ts'
import { mustHold } from '../../../operator/group-ingress/rivals.ts'
import { userConcerns } from '../../../operator/group-ingress/user-concerns.ts'
import { settings, worldOf } from '../a-world.ts'
import { app, db, recordFor } from './a-group.ts'

const named = (name: string): KubeObject => db({ 'tailscale.com/hostname': name })
const other = (host: string): KubeObject => app({ tls: [{ hosts: [host] }] })
const [ownDb, ownApp] = [recordFor('svc', 'db'), recordFor('ingress', 'app')]
const nextOf = (type: 'svc' | 'ingress', name: string, service: string) =>
  recordFor(type, name, { service: `svc:${service}` })

/** Why the first object does not get the name that it asks for; undefined if it does. */
function refused(...objects: readonly KubeObject[]): string | undefined {
  try {
    mustHold(askOf(objects[0]!, settings)!, worldOf(...objects), settings)
    return undefined
  } catch (error) {
    return `${(error as UserError).reason}: ${told(error)}`
  }
}

describe('a name that another object has', () => {
  it('is not had while that asks for it', () => {
    expect(refused(named('app'), other('app'), ownApp)).toMatch(
      /^HostnameTaken: svc:app is that of Ingress "apps\/app"/,
    )
  })

  it('is waited for while that gives it up: it is gone, asks for nothing, or has its next name', () => {
    const given = recordFor('ingress', 'app', { leaving: ['group'] })
    const asksNothing = { ...other('app'), spec: {} }
    for (const objects of [[ownApp], [asksNothing, ownApp], [other('wiki'), given, nextOf('ingress', 'app', 'wiki')]])
      expect(refused(named('app'), ...objects)).toMatch(/^NameInUse: svc:app is still .*, which is giving it up$/)
  })

  it.each([
    ['that is being provided for', [nextOf('ingress', 'app', 'wiki')]],
    ['that it does not have yet', []],
    ['that a third has', [nextOf('svc', 'third', 'wiki')]],
  ])('is kept, as is told, until that has its next name, one %s', (_what, more) => {
    expect(refused(named('app'), other('wiki'), ownDb, ownApp, ...more)).toBe(
      'NameInUse: svc:app is still that of Ingress "apps/app", which keeps it until svc:wiki works',
    )
  })

  it('is kept, too, if that has given it up and waits for yet another one', () => {
    const given = recordFor('ingress', 'app', { leaving: ['group'] })
    expect(refused(named('app'), other('wiki'), given, nextOf('ingress', 'app', 'pages'))).toMatch(
      /keeps it until svc:wiki/,
    )
  })
})

describe('two objects that want each other’s names', () => {
  const [one, two] = [named('app'), other('db')]

  it('are both told how that is possible', () => {
    expect(refused(one, two, ownDb, ownApp)).toMatch(/^HostnameTaken: .*which asks for svc:db of this one.*third name/)
    expect(refused(two, one, ownDb, ownApp)).toMatch(/^HostnameTaken: .*which asks for svc:app of this one.*third name/)
  })

  it('get them when one of them has a third name', () => {
    const store = named('store')
    expect(refused(store, two, ownDb, ownApp)).toBeUndefined()
    expect(refused(two, store, ownDb, ownApp)).toMatch(/^NameInUse: svc:db .*, which keeps it until svc:store works$/)
    expect(refused(two, store, ownApp, nextOf('svc', 'db', 'store'))).toBeUndefined()
  })

  it('are looked at again when the other one asks for another name', () => {
    const store = named('store')
    const world = worldOf(store, two, ownDb, ownApp)
    const concerned = userConcerns('ingress')
      .filter(({ resource }) => resource.kind === 'Service')
      .flatMap(({ keys }) => [...keys(store, world)])
    expect(concerned).toContain('apps/app')
  })
})
