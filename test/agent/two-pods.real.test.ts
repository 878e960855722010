import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { Proxy } from './proxy.ts'
import { SecretBed, defaultVerbs } from './secret-bed.ts'

// Two Pods with the same state Secret, as with two replicas or during a rolling update.
let bed: Bed<'first' | 'second'>
beforeAll(async () => {
  bed = await startBed({
    hosts: { first: { network: 'cluster' }, second: { network: 'cluster' } },
    cluster: { nodes: 0 },
  })
})
afterAll(() => bed.down())

/** Creates a Secret that both may use and watch; returns it with a function that starts a Pod with it. */
async function share(secret: string, waits: Record<string, string> = {}) {
  const verbs = [...defaultVerbs, 'list', 'watch']
  await SecretBed.make(bed, secret, { verbs, host: 'first' })
  const at = await SecretBed.make(bed, secret, { verbs, host: 'second' })
  const TS_AUTHKEY = await bed.authKey({ reusable: true })
  const env = { TS_USERSPACE: 'true', TS_HOSTNAME: secret, TS_AUTHKEY, ...at.env(), ...waits }
  const start = (host: 'first' | 'second') => Proxy.ready(bed, { ...env, POD_UID: `uid-of-${host}` }, { host })
  return { at, start, uid: async () => (await at.texts())?.['pod_uid'] }
}

it('the newer Pod takes the Secret at once, the older one names it, and they do not overwrite each other', async () => {
  const { at, start, uid } = await share('shared')
  await using older = await start('first')
  await using newer = await start('second')
  expect(await uid()).toBe('uid-of-second')
  const { checks } = await older.until((status) => status.checks['state-secret']?.state === 'failing')
  expect(checks['state-secret']?.reason).toMatch(/the Pod with UID uid-of-second uses the state Secret "shared", too/)
  await older.process.line(/^boot: .*the Pod with UID uid-of-second uses.*TS_KUBE_SECRET/)
  // A change by a person is still repaired at once, by the Pod that has the Secret.
  for (const key of ['device_id', 'device_ips']) {
    const before = (await at.texts())?.[key]
    await at.edit({ [key]: null })
    await expect.poll(async () => (await at.texts())?.[key]).toBe(before)
    expect(await uid()).toBe('uid-of-second')
  }
  expect([older, newer].flatMap(({ lines }) => lines.filter((line) => line.includes('another program')))).toHaveLength(
    1,
  )
  await older.until(({ ready }) => ready)
})

it('the older Pod takes the Secret back once the newer one is gone', async () => {
  const { start, uid } = await share('back', { CULVERT_TEST_SHORT_WAITS: 'true' })
  await using older = await start('first')
  const newer = await start('second')
  await older.process.line(/the Pod with UID uid-of-second uses/)
  await newer.process.stop()
  await expect.poll(uid).toBe('uid-of-first')
  await older.until((status) => status.checks['state-secret']?.state === 'ok')
  expect(await uid()).toBe('uid-of-first')
})
