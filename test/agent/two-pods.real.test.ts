import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { Proxy } from './proxy.ts'
import { SecretBed, usual } from './secret-bed.ts'

// Two Pods that were given one state Secret, by two replicas or by a rolling update.
let bed: Bed<'first' | 'second'>
beforeAll(async () => {
  bed = await startBed({
    hosts: { first: { network: 'cluster' }, second: { network: 'cluster' } },
    cluster: { nodes: 0 },
  })
})
afterAll(() => bed.down())

/** A Secret that both may use and watch, and how a Pod with it is started. */
async function share(secret: string, waits: Record<string, string> = {}) {
  const verbs = [...usual, 'list', 'watch']
  await SecretBed.make(bed, secret, { verbs, host: 'first' })
  const at = await SecretBed.make(bed, secret, { verbs, host: 'second' })
  const TS_AUTHKEY = await bed.authKey({ reusable: true })
  const env = { TS_USERSPACE: 'true', TS_HOSTNAME: secret, TS_AUTHKEY, ...at.env(), ...waits }
  const start = (host: 'first' | 'second') => Proxy.ready(bed, { ...env, POD_UID: `uid-of-${host}` }, { host })
  return { at, start, uid: async () => (await at.texts())?.['pod_uid'] }
}

it('the newer one has it at once, the older one names it, and they do not write against each other', async () => {
  const { at, start, uid } = await share('shared')
  await using older = await start('first')
  await using newer = await start('second')
  expect(await uid()).toBe('uid-of-second')
  const { checks } = await older.until((status) => status.checks['state-secret']?.state === 'failing')
  expect(checks['state-secret']?.reason).toMatch(/the Pod with UID uid-of-second uses the state Secret "shared", too/)
  expect(older.lines.join('\n')).toMatch(/the Pod with UID uid-of-second uses.*TS_KUBE_SECRET/)
  // What a person changes is still put right at once, by the one that has it.
  for (const key of ['device_id', 'device_ips']) {
    const before = (await at.texts())?.[key]
    await at.edit({ [key]: null })
    await expect.poll(async () => (await at.texts())?.[key]).toBe(before)
    expect(await uid()).toBe('uid-of-second')
  }
  expect([older, newer].flatMap(({ lines }) => lines.filter((line) => line.includes('another program')))).toHaveLength(
    1,
  )
  expect(await older.status()).toMatchObject({ ready: true })
})

it('the older one takes it back when the newer one has gone', async () => {
  const { start, uid } = await share('back', { CULVERT_TEST_SHORT_WAITS: 'true' })
  await using older = await start('first')
  const newer = await start('second')
  await older.process.line(/the Pod with UID uid-of-second uses/)
  await newer.process.stop()
  await expect.poll(uid).toBe('uid-of-first')
  await older.until((status) => status.checks['state-secret']?.state === 'ok')
  expect(await uid()).toBe('uid-of-first')
})
