import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { Proxy } from './proxy.ts'
import { SecretBed, defaultVerbs } from './secret-bed.ts'

let bed: Bed<'proxy'>
beforeAll(async () => {
  bed = await startBed({ hosts: { proxy: { network: 'cluster' } }, cluster: { nodes: 0 } })
})
afterAll(() => bed.down())

const userspace = { TS_USERSPACE: 'true', CULVERT_TEST_SHORT_WAITS: 'true' }
const tailscaledKeys = ['_current-profile', '_machinekey', '_profiles', expect.stringMatching(/^profile-/)]

it('the Pod’s identity in its Secret is written once, kept over restarts, and not written again', async () => {
  const at = await SecretBed.make(bed, 'life', {
    texts: { authkey: await bed.authKey(), https_endpoint: 'stale', mine: 'x' },
  })
  const env = { ...userspace, ...at.env(), TS_HOSTNAME: 'life' }
  const proxy = await Proxy.ready(bed, env)
  const node = await bed.control.node('life')
  let texts: Record<string, string> = {}
  await expect
    .poll(async () => (texts = (await at.texts()) ?? {}))
    .toMatchObject({
      tailscale_capver: '142',
      pod_uid: 'uid-of-life',
      device_id: node.stableId,
      device_fqdn: `${node.fqdn.replace(/\.$/, '')}.`,
      device_ips: JSON.stringify(node.addresses),
      mine: 'x',
    })
  const own = ['authkey', 'device_fqdn', 'device_id', 'device_ips', 'mine', 'pod_uid', 'tailscale_capver']
  expect(Object.keys(texts).toSorted()).toEqual([
    ...tailscaledKeys.slice(0, 3),
    ...own.slice(0, 6),
    tailscaledKeys[3],
    own[6],
  ])
  const version = await at.version()
  // Waits for a full verification.
  const { verifiedAt } = (await proxy.status()).reconcilers['state-secret']!
  await proxy.until(({ reconcilers }) => reconcilers['state-secret']!.verifiedAt !== verifiedAt)
  expect(await at.version()).toBe(version)
  expect((await proxy.status()).checks['state-secret']).toMatchObject({ state: 'ok' })
  expect(proxy.process.log.join('\n')).not.toContain(String(texts['authkey']))
  await proxy.process.stop()

  // The key is used up, and no longer needed.
  await at.edit({ authkey: null })
  await using again = await Proxy.ready(bed, env)
  expect((await again.status()).node.id).toBe(node.stableId)
  expect((await bed.control.nodes()).filter(({ name }) => name.startsWith('life'))).toHaveLength(1)
  expect(await at.texts()).not.toHaveProperty('authkey')
})

it('changes by others are reverted, and nothing else is touched', async () => {
  const at = await SecretBed.make(bed, 'repair')
  const TS_AUTHKEY = await bed.authKey()
  await using proxy = await Proxy.ready(bed, { ...userspace, ...at.env(), TS_HOSTNAME: 'repair', TS_AUTHKEY })
  const before = await at.texts()
  await at.edit({
    device_id: 'other',
    device_fqdn: null,
    device_ips: '[]',
    pod_uid: null,
    tailscale_capver: '1',
    theirs: 'y',
  })
  await expect.poll(() => at.texts()).toEqual({ ...before, theirs: 'y' })
  await proxy.process.line(/state-secret: another program had changed/)

  // Without permission to create it, a deleted Secret is reported and nothing more.
  await at.delete()
  await proxy.until(({ checks }) =>
    /Secret "repair" is gone.*traffic goes on/.test(checks['state-secret']?.reason ?? ''),
  )
  await proxy.until(({ ready, checks }) => ready && checks['state-secret']?.state === 'failing')
  expect(await at.texts()).toBeUndefined()
  await at.put({})
  const { device_id: id } = before!
  await expect.poll(async () => (await at.texts())?.['device_id']).toBe(id)
  // tailscaled's own keys are not ours to write: their loss is reported, with what to do.
  await proxy.until(({ checks }) =>
    /identity is gone.*restart the Pod with a fresh auth key/.test(checks['state-secret']?.reason ?? ''),
  )
  expect(Object.keys((await at.texts())!).filter((key) => key.startsWith('_'))).toEqual([])
})

it('an absent Secret is created if that is allowed', async () => {
  const at = await SecretBed.make(bed, 'absent', { texts: null, verbs: [...defaultVerbs, 'create'] })
  const env = { ...userspace, ...at.env(), TS_HOSTNAME: 'absent', TS_AUTHKEY: await bed.authKey() }
  await using proxy = await Proxy.ready(bed, env)
  await expect.poll(() => at.texts()).toMatchObject({ pod_uid: 'uid-of-absent', device_id: expect.stringMatching(/./) })
  const texts = await at.texts()
  await at.delete()
  await expect.poll(() => at.texts()).toMatchObject({ device_id: texts?.['device_id'] })
  await proxy.until(({ ready }) => ready)
})

it.each<[string, readonly string[], Record<string, string> | null, Record<string, string>, RegExp]>([
  [
    'no permission to get',
    ['update', 'patch'],
    {},
    {},
    /may not get the state Secret "denied".*Grant it get, update and patch/,
  ],
  ['no permission to update', ['get', 'patch'], {}, {}, /may not update the state Secret "denied"/],
  ['no permission at all', [], {}, {}, /may not get and update the state Secret "denied"/],
  [
    'a key to adopt and no permission to patch',
    ['get', 'update'],
    { authkey: 'k' },
    {},
    /may not patch it.*verb patch.*TS_AUTHKEY/,
  ],
  [
    'no Secret and no permission to create it',
    defaultVerbs,
    null,
    {},
    /"denied" does not exist in namespace "ts".*verb create on secrets/,
  ],
  [
    'an unreachable API server',
    defaultVerbs,
    {},
    { KUBERNETES_SERVICE_PORT_HTTPS: '6444', TS_BOOT_TIMEOUT: '2s' },
    /boot deadline of 2 s.*ECONNREFUSED/,
  ],
])('%s ends the agent with the reason', async (_name, verbs, texts, more, reason) => {
  const at = await SecretBed.make(bed, 'denied', { verbs, texts })
  if (texts !== null && !('authkey' in texts)) await at.edit({ authkey: null })
  const ended = await (await Proxy.start(bed, { ...userspace, ...at.env(), ...more })).ended()
  expect(ended).toMatchObject({ code: 1, reason: expect.stringMatching(reason) })
})

it('without permission to patch, tailscaled keeps its state and the agent writes nothing, until it may', async () => {
  const at = await SecretBed.make(bed, 'silent', { verbs: ['get', 'update'] })
  const env = { ...userspace, ...at.env(), TS_HOSTNAME: 'silent', TS_AUTHKEY: await bed.authKey() }
  await using proxy = await Proxy.ready(bed, env)
  await expect.poll(async () => Object.keys((await at.texts()) ?? {}).toSorted()).toEqual(tailscaledKeys)
  expect((await proxy.status()).checks['state-secret']).toMatchObject({ state: 'ok' })
  await at.grant(defaultVerbs)
  await proxy.process.line(/may patch Secret "silent" now/)
  await expect.poll(() => at.texts()).toMatchObject({ device_fqdn: 'silent.lab.ts.net.', pod_uid: 'uid-of-silent' })
})

it.each<[string, (texts: Record<string, string>) => Record<string, string | null>]>([
  ['the current profile', () => ({ '_current-profile': null })],
  ['the index of profiles', () => ({ _profiles: null })],
  ['a readable index', () => ({ _profiles: '{"half' })],
])('a state without %s is repaired, and the node stays the same', async (_name, lose) => {
  const at = await SecretBed.make(bed, 'half')
  const env = { ...userspace, ...at.env(), TS_HOSTNAME: 'half' }
  const first = await Proxy.ready(bed, { ...env, TS_AUTHKEY: await bed.authKey() })
  const { node } = await first.status()
  await first.process.stop()
  await at.edit(lose((await at.texts())!))
  await using again = await Proxy.ready(bed, env)
  expect((await again.status()).node.id).toBe(node.id)
  expect(again.lines.join('\n')).toMatch(/put right from what is there, the node stays the same/)
  await at.delete()
})

it('with two profiles the stop does not wait, and the node stays the same', async () => {
  const at = await SecretBed.make(bed, 'two')
  const env = { ...userspace, ...at.env(), TS_HOSTNAME: 'two' }
  const first = await Proxy.ready(bed, { ...env, TS_AUTHKEY: await bed.authKey() })
  const { node } = await first.status()
  await first.process.stop()
  const texts = (await at.texts())!
  const [, profile = ''] = Object.entries(texts).find(([key]) => key.startsWith('profile-')) ?? []
  const index = JSON.parse(texts['_profiles']!) as Record<string, object>
  const another = { ...Object.values(index)[0], ID: '0000', Key: 'profile-0000', NodeID: 'nOther' }
  await at.edit({ 'profile-0000': profile, _profiles: JSON.stringify({ ...index, '0000': another }) })
  const again = await Proxy.ready(bed, env)
  expect((await again.status()).node.id).toBe(node.id)
  await again.process.stop()
  expect(again.lines.join('\n')).not.toContain('Waiting for tailscaled')
})

it('a state that cannot be repaired is reported, with what to do', async () => {
  const at = await SecretBed.make(bed, 'broken')
  const env = { ...userspace, ...at.env(), TS_HOSTNAME: 'broken' }
  await (await Proxy.ready(bed, { ...env, TS_AUTHKEY: await bed.authKey() })).process.stop()
  const profile = Object.keys((await at.texts())!).find((key) => key.startsWith('profile-'))!
  await at.edit({ [profile]: '{"half' })
  const ended = await (await Proxy.start(bed, env)).ended()
  expect(ended.code).toBe(1)
  expect(ended.reason).toMatch(
    /tailscaled cannot be kept running.*is no profile.*Restore the Secret from a backup, or delete its keys/,
  )
})

it('a full Secret is reported, and traffic goes on', async () => {
  const at = await SecretBed.make(bed, 'full')
  const env = { ...userspace, ...at.env(), TS_HOSTNAME: 'full' }
  await (await Proxy.ready(bed, { ...env, TS_AUTHKEY: await bed.authKey() })).process.stop()
  const size = Object.values((await at.texts())!).join('').length
  await at.edit({ filler: 'x'.repeat(1024 * 1024 - size), pod_uid: null })
  await using proxy = await Proxy.ready(bed, { ...env, POD_UID: 'a-longer-one-than-there-is-room-for' })
  const { checks } = await proxy.until((status) => status.checks['state-secret']?.state === 'failing' && status.ready)
  expect(checks['state-secret']?.reason).toMatch(/Too long|too long|1048576/)
  await at.edit({ filler: null })
  await proxy.until((status) => status.checks['state-secret']?.state === 'ok')
  expect(await at.texts()).toMatchObject({ pod_uid: 'a-longer-one-than-there-is-room-for' })
})

it('what changes its state is told as Events of its Pod', async () => {
  const at = await SecretBed.make(bed, 'told', { tellsEvents: true })
  const TS_AUTHKEY = await bed.authKey()
  const env = { ...at.env(), TS_USERSPACE: 'false', TS_DEST_IP: '10.98.0.1', TS_HOSTNAME: 'told', TS_AUTHKEY }
  await using proxy = await Proxy.ready(bed, env)
  await proxy.host.exec(['nft', 'delete', 'table', 'inet', 'culvert'])
  const path = 'jsonpath={range .items[*]}{.reason}/{.type}/{.source.component}{end}'
  const selector = '--field-selector=involvedObject.name=told-0,reason=RulesRepaired'
  const events = () => bed.cluster.kubectl(['get', 'events', '--namespace=ts', selector, `--output=${path}`])
  await expect.poll(async () => (await events()).stdout).toBe('RulesRepaired/Warning/culvert')
})

it('while the API server is away only writes to the Secret wait', async () => {
  const at = await SecretBed.make(bed, 'outage')
  const env = { ...userspace, ...at.env(), TS_HOSTNAME: 'outage', TS_AUTHKEY: await bed.authKey() }
  const server = bed.cluster.component('kube-apiserver')
  await server.kill()
  const starting = await Proxy.start(bed, { ...env, TS_BOOT_TIMEOUT: '10m' })
  await starting.process.line(/not connected to the tailnet yet: .*Secret/)
  await server.start()
  await starting.process.line(/Startup complete/)

  await using proxy = starting
  await server.kill()
  await proxy.until((status) => status.checks['state-secret']?.state === 'failing' && status.ready)
  const { id } = await bed.control.node('outage')
  await bed.control.patchNode(id, { addresses: ['100.64.7.7', 'fd7a:115c:a1e0::77'] })
  await proxy.until((status) => status.node.addresses.includes('100.64.7.7') && status.ready)
  await server.start()
  await expect.poll(async () => (await at.texts())?.['device_ips']).toBe('["100.64.7.7","fd7a:115c:a1e0::77"]')
  await proxy.until((status) => status.checks['state-secret']?.state === 'ok')
})
