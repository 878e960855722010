import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { FollowWaits } from '../../kube/follow.ts'
import { SecretBed } from '../agent/secret-bed.ts'
import { startBed, type Bed, type HostProcess } from '../lab/bed.ts'
import { patience } from '../lab/patience.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import type { Call, Outcome } from './programs/call.ts'

let bed: Bed<'proxy'>
beforeAll(async () => {
  bed = await startBed({ hosts: { proxy: { network: 'cluster' } }, cluster: { nodes: 0 } })
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const program = (name: string): string => join(import.meta.dirname, 'programs', name)
const addressOf = (family: 'v4' | 'v6'): [string, string] => {
  const { hostname, port } = new URL(bed.cluster.url[family])
  return [hostname.replaceAll(/[[\]]/g, ''), port]
}

async function make(family: 'v4' | 'v6', ...calls: Call[]): Promise<Outcome[]> {
  const argv = [process.execPath, program('call.ts'), ...addressOf(family), JSON.stringify(calls)]
  return JSON.parse((await bed.host('proxy').exec(argv)).stdout) as Outcome[]
}

async function follow(name: string, waits: Partial<FollowWaits> = {}, limitMs = patience): Promise<HostProcess> {
  const argv = [process.execPath, program('follow.ts'), ...addressOf('v4'), name, JSON.stringify(waits), `${limitMs}`]
  return await bed.host('proxy').spawn(argv, { name: `follow ${name}` })
}

const everything = ['get', 'update', 'patch', 'create', 'list', 'watch'] as const

test.each(['v4', 'v6'] as const)('a Secret is created, changed and deleted, over %s', async (family) => {
  const name = `life-${family}`
  const secret = await SecretBed.make(bed, name, { verbs: everything })
  await secret.delete()
  const outcomes = await make(
    family,
    { get: name },
    { patch: name, change: { a: 'b' } },
    { create: name, data: { device_id: 'n1', old: 'x' } },
    { create: name, data: {} },
    { patch: name, change: { old: null, empty: '', device_ips: '["100.64.0.1"]' } },
    { get: name },
  )
  const after = { device_id: 'n1', empty: '', device_ips: '["100.64.0.1"]' }
  expect(outcomes).toEqual([
    { gave: null },
    { failed: expect.stringContaining('404'), status: 404, reason: 'NotFound', retryable: false },
    { gave: { device_id: 'n1', old: 'x' } },
    { failed: expect.stringContaining('already exists'), status: 409, reason: 'AlreadyExists', retryable: false },
    { gave: after },
    { gave: after },
  ])
  expect(await secret.texts()).toEqual(after)
  const managed = await bed.cluster.kubectl(['get', 'secret', name, '-n', 'ts', '--show-managed-fields', '-o', 'json'])
  expect(managed.stdout).toContain('"manager": "tailscale-container"')
})

test('what a Secret cannot hold is refused, and the error does not quote it', async () => {
  await SecretBed.make(bed, 'full', { texts: { kept: 'yes' } })
  const outcomes = await make(
    'v4',
    { patch: 'full', change: { 'a/b': 'hunter2-' } },
    { fill: 'full', bytes: 1024 * 1024 + 8 },
    { fill: 'full', bytes: 8 * 1024 * 1024 },
    { fill: 'full', bytes: 1024 * 1024 - 8 },
    { get: 'full' },
  )
  expect(outcomes).toEqual([
    { failed: expect.stringContaining('data[a/b]'), status: 422, reason: 'Invalid', retryable: false },
    { failed: expect.stringContaining('Too long'), status: 422, reason: 'Invalid', retryable: false },
    { failed: expect.stringContaining('413'), status: 413, reason: 'RequestEntityTooLarge', retryable: false },
    { gave: null },
    { gave: { kept: 'yes', filling: expect.stringContaining('hunter2-') } },
  ])
  expect(JSON.stringify(outcomes.slice(0, 3))).not.toMatch(/hunter2|aHVudGVyMi/)
})

test('a missing permission is named, and found by reviews', async () => {
  const name = 'limited'
  const secret = await SecretBed.make(bed, name, { verbs: ['update'] })
  const reviews = everything.map((verb) => ({ review: name, verb }))
  const before = await make('v4', { get: name }, { patch: name, change: { a: 'b' } }, ...reviews)
  expect(before.slice(0, 2)).toEqual(
    ['get', 'patch'].map((verb) => ({
      failed: expect.stringMatching(
        new RegExp(
          `^${verb} of Secret "limited" in namespace "ts" was refused: 403 secrets "limited" is forbidden: .*` +
            `Grant the Pod's service account the verb ${verb} on Secret "limited" in namespace "ts".$`,
        ),
      ),
      status: 403,
      reason: 'Forbidden',
      retryable: false,
    })),
  )
  expect(before.slice(2)).toEqual(everything.map((verb) => ({ gave: verb === 'update' })))
  await secret.grant(['get', 'patch'])
  const after = () => make('v4', { patch: name, change: { a: 'b' } }, { get: name })
  await expect.poll(after).toEqual([{ gave: { a: 'b' } }, { gave: { a: 'b' } }])
})

test('changes are seen at once, through consecutive watches', async () => {
  const secret = await SecretBed.make(bed, 'watched', { verbs: everything, texts: { step: '0' } })
  await using following = stopping(await follow('watched', { watch: 1000, settled: 0 }))
  await following.line(/^secret \{"step":"0"\}/)
  for (const step of ['1', '2', '3', '4', '5', '6', '7', '8']) {
    await secret.edit({ step })
    await following.line(new RegExp(`^secret \\{"step":"${step}"\\}`))
    await delay(300)
  }
  await secret.delete()
  await following.line(/^secret null/)
  await secret.put({ step: 'again' })
  await following.line(/^secret \{"step":"again"\}/)
  const asked = following.log.filter((line) => line.startsWith('asked'))
  expect(asked.filter((line) => line !== 'asked watch')).toEqual(['asked list'])
  expect(asked.length).toBeGreaterThan(3)
})

test('the Secret is polled without the permission to watch, and watched once that is granted', async () => {
  const secret = await SecretBed.make(bed, 'polled', { texts: { step: '0' } })
  await using following = stopping(await follow('polled', { poll: 300, rewatch: 2000 }))
  await following.line(/^secret \{"step":"0"\}/)
  await secret.edit({ step: '1' })
  await following.line(/^secret \{"step":"1"\}/)
  await secret.grant(everything)
  await following.line(/^asked watch/)
  await secret.edit({ step: '2' })
  await following.line(/^secret \{"step":"2"\}/)
  expect(following.log.filter((line) => /problem|well/.test(line))).toEqual([])
})

test('following goes on when the API server has restarted', async () => {
  const secret = await SecretBed.make(bed, 'restarted', { verbs: everything, texts: { step: '0' } })
  await using following = stopping(await follow('restarted', { poll: 2000 }))
  await following.line(/^asked watch/)
  const api = bed.cluster.component('kube-apiserver')
  await api.stop('SIGKILL')
  await following.line(/^problem get of Secret "restarted" in namespace "ts" failed: connect ECONNREFUSED/)
  await api.start()
  await following.line(/^well/)
  await secret.edit({ step: '1' })
  await following.line(/^secret \{"step":"1"\}/)
  expect(following.log.filter((line) => line.startsWith('secret'))).toHaveLength(2)
  // The history of the API server begins with its start.
  const [old] = await make('v4', { watch: 'restarted', from: '1' })
  expect(old).toMatchObject({ failed: expect.stringContaining('too old resource version') })
})

test('following goes on when the API server has hung, which is reported', async () => {
  const secret = await SecretBed.make(bed, 'hanging', { verbs: everything, texts: { step: '0' } })
  await using following = stopping(await follow('hanging', { poll: 2000, watch: 1000, settled: 0 }, 2000))
  await following.line(/^asked watch/)
  // By now the answer to the watch has begun.
  await delay(300)
  const api = bed.cluster.component('kube-apiserver')
  api.signal('SIGSTOP')
  try {
    await following.line(/^problem .* failed: no answer within 2 s/)
  } finally {
    api.signal('SIGCONT')
  }
  await following.line(/^well/)
  await secret.edit({ step: '1' })
  await following.line(/^secret \{"step":"1"\}/)
})

test('a deleted service account is reported, and its successor is used with the new token', async () => {
  const name = 'replaced'
  const secret = await SecretBed.make(bed, name, { verbs: everything, texts: { step: '0' } })
  await using following = stopping(await follow(name, { poll: 500, watch: 1000, settled: 200, rewatch: 500 }))
  await following.line(/^asked watch/)
  await bed.cluster.kubectl(['delete', 'serviceaccount', name, '--namespace=ts'])
  await following.line(/^problem get of Secret "replaced" in namespace "ts" was refused: 401 Unauthorized/)
  const metadata = { name, namespace: 'ts' }
  await bed.cluster.apply({ apiVersion: 'v1', kind: 'ServiceAccount', metadata })
  await bed.cluster.actAs(bed.host('proxy'), 'ts', name)
  await following.line(/^well/)
  await secret.edit({ step: '1' })
  await following.line(/^secret \{"step":"1"\}/)
})

const stopping = (process: HostProcess) =>
  Object.assign(process, { [Symbol.asyncDispose]: async () => void (await process.stop()) })
