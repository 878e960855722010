import { existsSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { describe as inWords } from '../../../lib/errors.ts'
import type { TailscaleApi } from '../../../operator/api/api.ts'
import { reasonOf } from '../../kube/api-server.ts'
import { startTailscaled } from '../../lab/hosts/tailscaled.ts'
import { signal } from '../../lab/namespaces/procs.ts'
import { poll } from '../../lab/poll.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { ControlBed, never, newKey, tags } from './control-bed.ts'

let at: ControlBed
let api: TailscaleApi
beforeAll(async () => {
  at = await ControlBed.start()
})
afterAll(() => at[Symbol.asyncDispose]())
beforeEach(() => {
  printLogsOnFailure(at.bed)
  api = at.apiOf()
})

/** Tries to join until that ends so: what it says first may be about an earlier key, which tailscaled still tries. */
const joining = (key: () => Promise<string> | string) => expect.poll(async () => at.join('two', await key()))

describe('an auth key', () => {
  it('lets one node join, once, with its tags and without approval', async () => {
    await at.control.putSettings({ approvalRequired: true })
    const { id, key, expires } = await api.mintKey(newKey, never)
    expect(expires!.getTime()).toBeGreaterThan(Date.now())
    expect(await at.control.key(key)).toMatchObject({
      id,
      description: 'svc prod a',
      reusable: false,
      ephemeral: false,
    })
    expect(await at.join('one', key)).toBe('joined')
    expect(await at.control.node('one')).toMatchObject({ tags, approved: true })
    expect(await at.join('two', key)).toContain('API key already used')
    await at.control.putSettings({ approvalRequired: false })
  })

  it('that is taken back lets nobody join', async () => {
    const { id, key } = await api.mintKey(newKey, never)
    await api.removeKey(id, never)
    await api.removeKey(id, never)
    await joining(() => key).toContain('API key does not exist')
  })

  it('that has expired lets nobody join', async () => {
    const { key } = await api.mintKey(newKey, never)
    await at.control.expireKey(key)
    await joining(() => key).toContain('API key expired')
  })

  it('is refused for tags that the policy does not let the client give', async () => {
    await at.control.putApi({ tagOwners: { 'tag:k8s': ['tag:k8s-operator'], 'tag:db': ['tag:admin'] } })
    await api.mintKey(newKey, never)
    const error = await reasonOf(api.mintKey({ ...newKey, tags: ['tag:k8s', 'tag:db'] }, never))
    expect(error).toMatchObject({ problem: 'refused', status: 400 })
    expect(inWords(error)).toMatch(/requested tags \[tag:db\].* Each tag must be in the tailnet policy's tagOwners/)
  })

  it('is made once when the answer is lost', async () => {
    const known = (await at.control.keys()).length
    await at.control.addApiFault({ method: 'POST', path: '/tailnet', status: 502, body: 'bad gateway', done: true })
    await at.control.addApiFault({ method: 'POST', path: '/tailnet', cut: true, done: true })
    expect(await reasonOf(api.mintKey(newKey, never))).toMatchObject({ problem: 'unavailable', status: 502 })
    expect(await reasonOf(api.mintKey(newKey, never))).toMatchObject({ problem: 'unavailable' })
    expect(await at.control.keys()).toHaveLength(known + 2)
  })
})

describe('a device', () => {
  const fresh = async () => (await api.mintKey(newKey, never)).key

  it('that is deleted has to log in again', async () => {
    await joining(fresh).toBe('joined')
    const { stableId } = await at.control.node('two')
    expect(await api.listDevices(never)).toContainEqual(
      expect.objectContaining({ id: stableId, hostname: 'two', name: 'two.lab.ts.net', tags }),
    )
    expect(await api.getDevice(stableId, never)).toMatchObject({ id: stableId })
    await api.removeDevice(stableId, never)
    expect(await api.getDevice(stableId, never)).toBeUndefined()
    await api.removeDevice(stableId, never)
    const { pid } = at.bed.hostRecord('two').tailscaled!
    signal(pid, 'SIGKILL')
    // Until then the device is its own.
    await poll('the end of tailscaled', () => (existsSync(`/proc/${pid}`) ? undefined : true))
    await startTailscaled(at.bed.host('two'), {}, at.file('again.log', ''))
    const state = async (): Promise<string> => {
      const { stdout } = await at.bed.host('two').exec(['tailscale', 'status', '--json'], { check: false })
      return (JSON.parse(stdout) as { BackendState: string }).BackendState
    }
    await expect.poll(state).toBe('NeedsLogin')
    await joining(fresh).toBe('joined')
    expect((await at.control.node('two')).stableId).not.toBe(stableId)
  })
})

it('a Tailscale Service is made, changed and removed', async () => {
  const web = { name: 'svc:web', addrs: [], comment: 'ours', annotations: { owner: 'a' }, ports: ['tcp:443'], tags }
  expect(await api.getService('svc:web', never)).toBeUndefined()
  const made = await api.putService(web, never)
  expect(made).toEqual({ ...web, addrs: [expect.stringMatching(/^100\./), expect.stringMatching(/^fd7a:/)] })
  const changed = { ...made, annotations: { owner: 'b' }, ports: ['tcp:80', 'tcp:443'] }
  expect(await api.putService(changed, never)).toEqual(changed)
  expect(await api.listServices(never)).toEqual([changed])
  expect(await at.control.service('svc:web')).toMatchObject({ addresses: made.addrs, comment: 'ours' })
  await api.removeService('svc:web', never)
  await api.removeService('svc:web', never)
  expect(await api.listServices(never)).toEqual([])
})
