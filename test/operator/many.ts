import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { KubeObject } from '../../kube/controller/object.ts'
import { services } from '../../operator/objects/resources.ts'
import { never } from '../kube/controller/api-bed.ts'
import { limited } from '../../lib/limit.ts'
import { ofMany } from '../lab/patience.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { idle, OperatorBed } from './operator-bed.ts'
import { namespace } from './operator-process.ts'
import { requestsPer } from './requests.ts'

let here: OperatorBed

const service = (number: number): KubeObject => {
  const asked: Record<string, string> =
    number % 2 === 0 ? { 'tailscale.com/expose': 'true' } : { 'tailscale.com/tailnet-ip': '100.64.99.99' }
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `service-${number}`, namespace: 'apps', annotations: asked },
    spec: { selector: { app: 'a' }, ports: [{ port: 80 }] },
  }
}
const some = limited(20)

type Conditions = { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
const listed = (kind: string, where?: string) => here.bed.cluster.list<KubeObject>(kind, where)
const readyServices = async (): Promise<number> =>
  (await listed('services', 'apps')).filter(({ status }) =>
    (status as Conditions).conditions?.some(({ type, status: is }) => type === 'TailscaleProxyReady' && is === 'True'),
  ).length

/** What the operator asks of the API for one Service. */
const most = {
  // Whether it is there already, and belongs to somebody else.
  'GET services': 1,
  'GET serviceaccounts': 1,
  'GET roles': 1,
  'GET rolebindings': 1,
  'GET statefulsets': 1,
  // Twice: before the auth key is made, too.
  'GET secrets': 2,
  'PATCH serviceaccounts': 1,
  'PATCH roles': 1,
  'PATCH rolebindings': 1,
  'PATCH statefulsets': 1,
  // With the auth key, and without it once the node has joined.
  'PATCH secrets': 2,
  // The headless Service, the finalizer, and for the half that is egress what the Service itself becomes.
  'PATCH services': 2.5,
  // That it waits, and that it is ready; mostly it does not wait for two things.
  'PATCH services status': 3,
}
/** While its Pod is not there yet, which it mostly is when the Service is looked at again. */
const rarely = { 'GET events': 1 }

/** Tests with this many Services; their agents are played. */
export function manyServices(many: number): void {
  beforeAll(async () => {
    here = await OperatorBed.start()
    await here.bed.cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'apps' } })
  })
  afterAll(() => here[Symbol.asyncDispose]())
  beforeEach(() => printLogsOnFailure(here.bed))
  const all = Array.from({ length: many }, (_, number) => service(number))

  test(`${many} Services at once all get what they ask for, a restart writes nothing, and nothing is left of them`, async () => {
    {
      await using operator = await here.operate()
      here.kube.proxy.seen.length = 0
      await Promise.all(all.map((one) => some(() => here.kube.direct.create(services, one, never))))
      await expect.poll(readyServices, ofMany).toBe(many)
      await idle(operator)
      const counted = requestsPer(many, here.kube.proxy.seen)
      expect(Object.keys(counted)).toEqual(expect.arrayContaining(Object.keys(most)))
      // A few may be repeated after a conflict.
      const limits: Readonly<Record<string, number>> = { ...most, ...rarely }
      const more = Object.entries(counted).filter(([what, count]) => count > (limits[what] ?? 0) + 0.1)
      expect(more, JSON.stringify(counted)).toEqual([])
      expect(operator.logged).toEqual([])
      expect(here.problems).toEqual([])
      expect(await here.bed.control.keys()).toEqual([])
      expect(await here.bed.control.nodes()).toHaveLength(many)
    }
    here.kube.proxy.seen.length = 0
    {
      await using operator = await here.operate()
      await idle(operator)
      expect(operator.controllers[0]!.counts().results.done).toBeGreaterThanOrEqual(many)
      expect(here.kube.proxy.writes).toEqual([])

      await here.bed.cluster.kubectl(['delete', 'services', '--all', '--namespace=apps', '--wait=false'])
      const names = async () => (await listed('services', 'apps')).map(({ metadata }) => metadata.name)
      await expect.poll(names, ofMany).toEqual([])
      const kinds = 'services,secrets,statefulsets,pods,serviceaccounts,roles,rolebindings'
      const managed = { selector: 'tailscale.com/managed=true' }
      await expect.poll(() => here.bed.cluster.list(kinds, namespace, managed)).toEqual([])
      expect(await here.bed.control.nodes()).toEqual([])
      expect(operator.logged).toEqual([])
    }
  })
}
