import { afterAll, beforeAll, beforeEach, describe, expect, onTestFailed, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { differences } from '../../../operator/migrate/differences.ts'
import type { Migration } from '../../../operator/migrate/look.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { namespace, type OperatorProcess } from '../operator-process.ts'
import { installInPlace, removeDeployment } from './in-place.ts'
import { upstreamReleases } from '../upstream-operator.ts'
import { apiProxy, foreign, TakeoverBed } from './takeover-bed.ts'

/** The objects that are new, gone or another. */
const changedSince = (earlier: ReadonlyMap<string, KubeObject>, now: ReadonlyMap<string, KubeObject>): string[] =>
  [...new Set([...earlier.keys(), ...now.keys()])]
    .filter((key) => {
      const [one, other] = [earlier.get(key), now.get(key)]
      return one === undefined || other === undefined || differences(one, other).length > 0
    })
    .toSorted()

/** What agents write, what follows from other changes, and the rights of the operators themselves. */
const later =
  /^(\w+ tailscale\/apiserver-proxy|Secret \S+-\d(-config)?|ConfigMap \S+-(egress|ingress|api)-config|EndpointSlice \S+|Service default\/remote|Service tailscale\/rec|\w+ tailscale\/operator)$/

/** What Tailscale's operator makes as it was before. */
const itsOwn =
  /^(StatefulSet|ConfigMap \S+gress-config|Ingress|Connector|ProxyGroup|ProxyClass|Role \S+\/(in|out))( |$)/

/** What stays of ours, and Helm's note of what it has done. */
const stays =
  /^((Role|RoleBinding|ServiceAccount) tailscale\/ts-|\w+ tailscale\/apiserver-proxy|PodDisruptionBudget |Service tailscale\/rec$|ConfigMap tailscale\/(tailscale-service-|api-api-config$)|Secret tailscale\/(culvert-operator-id$|sh\.helm))/

describe.each(upstreamReleases)('Tailscale’s operator %s', (release) => {
  let at: TakeoverBed
  let operator: OperatorProcess | undefined
  /** What there was when Tailscale's operator had made everything. */
  let before: Awaited<ReturnType<TakeoverBed['identities']>>
  let others: readonly string[]
  let found: Migration
  let made: Awaited<ReturnType<TakeoverBed['everything']>>
  beforeAll(async () => {
    at = await TakeoverBed.start(release)
  })
  afterAll(async () => {
    await operator?.stop()
    await at[Symbol.asyncDispose]()
  })
  beforeEach(() => {
    printLogsOnFailure(at.bed)
    onTestFailed(() => console.error([...(operator?.logged ?? []), ...at.problems].join('\n')))
  })

  const lastEvent = async (): Promise<number> => (await at.bed.control.events()).last
  /** Keys that were made, and devices and Services that were removed, since an event of the control server. */
  const intrusions = async (since: number): Promise<readonly string[]> =>
    (await at.bed.control.apiCalls(since)).filter((call) => /^(DELETE|POST \/tailnet)/.test(call))

  test('Tailscale’s operator makes every kind', async () => {
    await at.bed.cluster.apply(...foreign())
    await at.upstream.start()
    await at.ask()
    await at.provided('theirs')
    before = await at.identities()
    others = await at.others()
    made = await at.everything()
    // One of them is the operator's own.
    expect(before.secrets).toHaveLength(14)
    expect(others).toHaveLength(foreign().length)
  })

  test('a dry run tells that it still runs, then which Pods would be replaced, and changes nothing', async () => {
    const levels = async () =>
      (await at.rehearse()).findings.flatMap(({ check, level }) => (level === 'ok' ? [] : [check]))
    expect(await levels()).toEqual(['predecessor'])
    await at.upstream.stop()
    // While it is connected, nothing may take its place.
    await expect.poll(async () => (await at.bed.control.node(apiProxy.node)).online).toBe(false)
    const since = await lastEvent()
    const all = await at.everything()
    found = await at.rehearse()
    expect(found.findings.filter(({ level }) => level !== 'ok')).toMatchObject([
      { level: 'warning', message: expect.stringMatching(/^Recorder rec: RecordingsEnd: /) },
    ])
    expect(found.changes.filter(({ replacesPods }) => replacesPods)).toHaveLength(9)
    expect((await at.bed.control.apiCalls(since)).filter((call) => !/^(GET|POST \/oauth)/.test(call))).toEqual([])
    expect(await at.identities()).toEqual(before)
    expect(await at.everything()).toEqual(all)
  })

  test('Culvert’s operator takes over: nothing in the tailnet is new, gone or another, and nothing of anybody else’s', async () => {
    const since = await lastEvent()
    const all = await at.everything()
    await installInPlace(at.bed)
    operator = await at.operate()
    await at.provided('ours')
    const changed = changedSince(all, await at.everything())
    const listed = found.changes.map(({ object }) => object).filter((name) => !name.startsWith('Pod '))
    expect(listed.filter((name) => !changed.includes(name))).toEqual([])
    expect(changed.filter((name) => !listed.includes(name) && !later.test(name))).toEqual([])
    expect(await at.identities()).toEqual(before)
    const { stableId } = await at.bed.control.node(apiProxy.node)
    const { key } = await at.stateIn('operator')
    expect(await at.stateIn(apiProxy.secret)).toEqual({ id: stableId, key })
    expect(await intrusions(since)).toEqual([])
    expect(await at.others()).toEqual(others)
    expect(operator.errors).toEqual([])
    await operator.stop()
  })

  test('Tailscale’s operator takes back', async () => {
    const since = await lastEvent()
    await removeDeployment(at.bed)
    // As the docs say: it would neither change the selector, nor take an account that is not its own.
    const recorders = ['statefulset,serviceaccount,role,rolebinding', 'rec', `--namespace=${namespace}`]
    await at.bed.cluster.kubectl(['delete', ...recorders])
    await at.upstream.reinstall()
    await at.upstream.start()
    await at.provided('theirs')
    expect(await at.identities()).toEqual(before)
    // The Secret with the auth key of its recorder is gone, so it makes another key, which nobody uses.
    expect(await intrusions(since)).toEqual(['POST /tailnet/-/keys 200'])
    expect(await at.others()).toEqual(others)
    const now = await at.everything()
    const another = changedSince(made, now)
    expect(another.filter((name) => itsOwn.test(name))).toEqual([])
    expect(another.filter((name) => !made.has(name) && !stays.test(name))).toEqual([])
  })
})
