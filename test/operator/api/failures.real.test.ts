import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { describe as inWords } from '../../../lib/errors.ts'
import type { TailscaleApi } from '../../../operator/api/api.ts'
import { reasonOf } from '../../kube/api-server.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { ControlBed, never, newKey } from './control-bed.ts'

let at: ControlBed
let api: TailscaleApi
beforeAll(async () => {
  at = await ControlBed.start({ nodes: 0 })
})
afterAll(() => at[Symbol.asyncDispose]())

let before = 0
beforeEach(async () => {
  printLogsOnFailure(at.bed)
  api = at.apiOf()
  before = (await at.control.events()).last
})
afterEach(async () => {
  await at.control.removeApiFaults()
  await at.control.putApi({ play: 'tailscale', formOnly: false })
})

/** The calls of this test besides those for tokens. */
const calls = async (): Promise<string[]> =>
  (await at.control.apiCalls(before)).filter((call) => !call.includes('/oauth/token '))

describe('credentials', () => {
  it('are exchanged for others without a restart', async () => {
    const old = await at.control.createApiClient()
    api = at.apiOf(old)
    await api.listDevices(never)
    await at.control.removeApiClient(old.id)
    const error = await reasonOf(api.listDevices(never))
    expect(error).toMatchObject({ problem: 'credentials', status: 401 })
    expect(inWords(error)).not.toContain(old.secret)
    const next = await at.control.createApiClient()
    at.file('client_id', next.id)
    at.file('client_secret', `${next.secret}\n`)
    await api.listDevices(never)
  })

  it('are used again when all tokens end', async () => {
    await api.listDevices(never)
    await at.control.endApiTokens()
    await Promise.all([api.listDevices(never), api.listDevices(never)])
  })

  it('are sent in a form where a header is refused', async () => {
    await at.control.putApi({ formOnly: true })
    await api.listDevices(never)
  })

  it('that lack a scope are refused with a remedy', async () => {
    api = at.apiOf(await at.control.createApiClient({ scopes: ['devices:core'] }))
    await api.listDevices(never)
    expect(await reasonOf(api.mintKey(newKey, never))).toMatchObject({ problem: 'forbidden', status: 403 })
    expect(await api.check(never)).toMatchObject([{ problem: 'forbidden' }, { problem: 'forbidden' }])
  })

  it('are the token of a service account, as its file has it then', async () => {
    const { cluster } = at.bed
    await cluster.apply({
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: 'operator', namespace: 'default' },
    })
    const tokenFor = async (audience: string): Promise<string> =>
      (await cluster.kubectl(['create', 'token', 'operator', '--namespace=default', `--audience=${audience}`])).stdout
    const subject = 'system:serviceaccount:default:operator'
    const { id } = await at.control.createApiClient({ subject, audience: 'lab', tags: ['tag:k8s-operator'] })
    const tokenFile = at.file('token', await tokenFor('another'))
    api = at.apiBy({ type: 'workload-identity', clientId: id, tokenFile })
    expect(await reasonOf(api.listDevices(never))).toMatchObject({ problem: 'credentials', status: 401 })
    at.file('token', await tokenFor('lab'))
    await api.mintKey(newKey, never)
  })
})

describe('a server', () => {
  const limit = { path: '/device', status: 429 } as const

  it('that has too many requests is asked again when it wants to be', async () => {
    await at.control.addApiFault({ ...limit, retryAfter: '1', times: 2 })
    await api.removeDevice('none', never)
    expect(await calls()).toEqual(['DELETE /device/none 429', 'DELETE /device/none 429', 'DELETE /device/none 404'])
  })

  it('that wants a long pause gets no more calls', async () => {
    await at.control.addApiFault({ ...limit, retryAfter: '300' })
    expect(await reasonOf(api.removeDevice('none', never))).toMatchObject({
      problem: 'limited',
      retryAfterMs: 300_000,
    })
    expect(await reasonOf(api.listDevices(never))).toMatchObject({ problem: 'limited' })
    expect(await calls()).toEqual(['DELETE /device/none 429'])
  })

  it('that fails is asked again', async () => {
    await at.control.addApiFault({ path: '/device', status: 500, times: 2 })
    await api.removeDevice('none', never)
    expect(await calls()).toEqual(['DELETE /device/none 500', 'DELETE /device/none 500', 'DELETE /device/none 404'])
  })

  it('that does not answer is not waited for longer than the caller wants', async () => {
    await at.control.addApiFault({ path: '/device', seconds: 3000 })
    const end = new AbortController()
    const called = reasonOf(api.removeDevice('none', end.signal))
    end.abort(new Error('long enough'))
    expect(inWords(await called)).toContain('long enough')
  })

  it('that is away is told, and used when it is back', async () => {
    await at.control.startOutage({ seconds: 3600 })
    expect(await reasonOf(api.listDevices(never))).toMatchObject({ problem: 'unavailable', retryable: true })
    await at.control.endOutage()
    await expect.poll(() => api.listDevices(never).then(() => 'well', inWords)).toBe('well')
  })

  it('such as Headscale is used as far as it goes, and what it lacks is named', async () => {
    expect(await api.check(never)).toEqual([])
    await at.control.putApi({ play: 'headscale' })
    expect(await api.check(never)).toMatchObject([{ problem: 'no-route', lacks: 'vip-services' }])
    const { id, key } = await api.mintKey(newKey, never)
    expect(await at.join('two', key)).toBe('joined')
    await api.removeKey(id, never)
    const { stableId } = await at.control.node('two')
    expect(await api.getDevice(stableId, never)).toMatchObject({ id: stableId, name: 'two' })
    await api.removeDevice(stableId, never)
    await api.removeDevice(stableId, never)
    expect(await reasonOf(api.removeService('svc:web', never))).toMatchObject({
      problem: 'no-route',
      lacks: 'vip-services',
    })
    expect([...api.lacks()]).toEqual(['vip-services'])

    const files = { type: 'workload-identity', clientId: at.client.id, tokenFile: at.file('token', 'a.b.c') } as const
    const error = await reasonOf(at.apiBy(files).listDevices(never))
    expect(error).toMatchObject({ problem: 'no-route', lacks: 'token-exchange' })
    expect(inWords(error)).toContain('Use an OAuth client')
  })

  it('without this API is told from one in which things are gone', async () => {
    await at.control.putApi({ play: 'none' })
    expect(await reasonOf(api.removeDevice('none', never))).toMatchObject({ problem: 'no-route' })
    expect(await api.check(never)).toMatchObject([{ problem: 'no-route', lacks: 'oauth' }])
  })
})
