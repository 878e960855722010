import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { KubeObject } from '../../lab/cluster/kubectl.ts'
import { namespace } from '../operator-process.ts'
import { GroupIngressCluster } from './group-ingress-cluster.ts'
import { examplesOf } from './pages.ts'

let here: GroupIngressCluster
beforeAll(async () => {
  here = await GroupIngressCluster.start()
  await here.bed.cluster.apply(...examplesOf('operator-ingress-group.md'))
})
afterAll(() => here[Symbol.asyncDispose]())
beforeEach(() => here.printLogsOnFailure())

/** The Service or Ingress of the docs once more, as another object, with the same backend. */
function another(kind: 'Service' | 'Ingress', name: string, host = name): KubeObject {
  const found = examplesOf('operator-ingress-group.md').find((object) => object.kind === kind)!
  const group = { 'tailscale.com/proxy-group': 'ingress' }
  const metadata = { ...found.metadata, name, namespace: 'default' }
  if (kind === 'Service')
    return { ...found, metadata: { ...metadata, annotations: { ...group, 'tailscale.com/hostname': host } } }
  const spec = { ...(found['spec'] as object), tls: [{ hosts: [host] }] }
  return { ...found, metadata: { ...metadata, annotations: group }, spec }
}

/** The messages of Events about an Ingress. */
async function told(name: string): Promise<readonly string[]> {
  type Listed = KubeObject & { readonly message: string; readonly involvedObject: { readonly name: string } }
  const all = await here.bed.cluster.list<Listed>('events', 'default')
  return all.filter(({ involvedObject }) => involvedObject.name === name).map(({ message }) => message)
}

/** Waits until all clients reach the port of a Service. */
const answers = async (name: string): Promise<void> =>
  here.answering((await here.bed.control.service(`svc:${name}`)).addresses, ['tcp'])

/** Does something while clients open connections to what was there before; none of these may fail. */
async function beside(work: () => Promise<void>): Promise<void> {
  await here.reachable(['tcp'])
  await here.underLoad(work)
}

const remove = (...what: readonly string[]) => here.bed.cluster.kubectl(['delete', ...what, '--timeout=300s'])

test('a Service whose hosts wait for approval says so, works once that is given, and harms no other', async () => {
  await beside(async () => {
    await here.bed.control.putApi({ autoApproveServices: false })
    await here.bed.cluster.apply(another('Service', 'held'))
    await expect.poll(() => here.condition('held')).toMatch(/^False: 0\/2 .*accepted as a host, by autoApprovers/)
    for (const host of ['ingress-0', 'ingress-1']) await here.bed.control.approveHost('svc:held', host)
    await expect.poll(() => here.condition('held')).toBe('True: 2/2 proxy backends ready and advertising')
    await answers('held')
    await here.bed.control.putApi({ autoApproveServices: true })
  })
  await remove('service/held')
})

test.each([
  ['fails', { kind: 'error', status: 403, on: 'newOrder' }, 'the last request failed (authority-unwell)'],
  // tailscaled waits for as long by itself, and the agent for tailscaled.
  ['puts it off', { kind: 'rate-limited', retryAfter: 20, on: 'newOrder' }, 'waits for a certificate'],
] as const)('an Ingress says that the authority %s, gets its certificate later, and harms no other', async (...row) => {
  const [what, fault, reason] = row
  const name = what.split(' ')[0]!
  await beside(async () => {
    await here.bed.acme.fault(fault)
    await here.bed.cluster.apply(another('Ingress', name))
    await expect.poll(() => told(name)).toContainEqual(expect.stringContaining(reason))
    await here.bed.acme.recover()
    await here.shows(name)
  })
  await remove(`ingress/${name}`)
})

test('of two Ingresses with one name the other waits, and what was served goes on', async () => {
  await beside(async () => {
    await here.bed.cluster.apply(another('Ingress', 'later', 'wiki'))
    await expect.poll(() => told('later')).toContainEqual(expect.stringContaining('svc:wiki is that of Ingress'))
  })
  await remove('ingress/later')
})

test('tailscaled lists Secrets while its group has a certificate, is refused that without, and goes on', async () => {
  /** The answers to lists of all Secrets so far. */
  const listed = async () =>
    (await here.bed.cluster.audited(namespace, 'ingress')).flatMap(({ verb, resource, name, code }) =>
      verb === 'list' && resource === 'secrets' && name === undefined ? [code] : [],
    )
  const restarted = async (revision: string) => {
    await here.relabel(revision)
    await here.rolledOut('ingress')
    await expect.poll(() => here.condition('db')).toBe('True: 2/2 proxy backends ready and advertising')
  }
  await restarted('with')
  await expect.poll(async () => (await listed()).at(-1)).toBe(200)
  await here.shows('wiki')
  await remove('ingress/wiki')
  await restarted('without')
  await expect.poll(async () => (await listed()).at(-1)).toBe(403)
  await answers('db')
})
