import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { kubeApi } from '../../../kube/controller/api.ts'
import { keyOf } from '../../../kube/controller/object.ts'
import { serviceAccount } from '../../../kube/service-account.ts'
import { transport } from '../../../kube/transport.ts'
import { ApiServer, json, statusJson } from '../api-server.ts'
import { configMap } from './an-object.ts'
import { configMaps, namespaces, secrets } from './resources.ts'

const never = new AbortController().signal

let server: ApiServer
beforeEach(async () => {
  server = await ApiServer.start()
})
afterEach(() => server[Symbol.asyncDispose]())

const apiOf = (prefix?: string, isDryRun = false) => {
  const { host, port } = server.cluster
  return kubeApi(transport({ url: `https://${host}:${port}` }, serviceAccount(server.root), 60_000), {
    prefix,
    isDryRun,
  })
}
const name = { name: 'a', namespace: 'ns' }
const asked = (): string[] => server.seen.map(({ method, url }) => `${method} ${url}`)

describe('requests', () => {
  it('go to the path of the kind, below that of the server', async () => {
    server.answer = (_seen, response) => json(response, configMap('a', '1'))
    const api = apiOf('/clusters/x')
    await api.get(configMaps, name, never)
    await api.get(namespaces, { name: 'a b' }, never)
    await api.patch(
      configMaps,
      name,
      { type: 'apply', body: {}, manager: 'm', force: true, subresource: 'status' },
      never,
    )
    await api.create(configMaps, configMap('a', ''), never)
    expect(asked()).toEqual([
      'GET /clusters/x/api/v1/namespaces/ns/configmaps/a',
      'GET /clusters/x/api/v1/namespaces/a%20b',
      'PATCH /clusters/x/api/v1/namespaces/ns/configmaps/a/status?fieldManager=m&force=true',
      'POST /clusters/x/api/v1/namespaces/ns/configmaps',
    ])
    expect(server.seen[2]?.headers['content-type']).toBe('application/apply-patch+yaml')
  })

  it('for what does not exist give nothing, if the API itself says so', async () => {
    server.answer = (_seen, response) => json(response, statusJson(404, 'NotFound', 'not found'), 404)
    expect(await apiOf().get(configMaps, name, never)).toBeUndefined()
    expect(
      await apiOf().delete(configMaps, { ...name, uid: 'u' }, { propagation: 'Background' }, never),
    ).toBeUndefined()
    server.answer = (_seen, response) => json(response, 'no such page', 404)
    await expect(apiOf().get(configMaps, name, never)).rejects.toMatchObject({ status: 404 })
  })

  it('to delete say which one, and give what is left', async () => {
    const deletionTimestamp = '2026-01-01T00:00:00Z'
    const answers = [
      { kind: 'Status', status: 'Success' },
      configMap('a', '7', { deletionTimestamp }),
      configMap('a', '8'),
    ]
    server.answer = (_seen, response) => json(response, answers[server.seen.length - 1])
    const remove = () => apiOf().delete(configMaps, { ...name, uid: 'u' }, { propagation: 'Foreground' }, never)
    expect(await remove()).toBeUndefined()
    expect((await remove())?.metadata.resourceVersion).toBe('7')
    // The object as it was at its end.
    expect(await remove()).toBeUndefined()
    expect(JSON.parse(server.seen[0]!.body)).toMatchObject({
      preconditions: { uid: 'u' },
      propagationPolicy: 'Foreground',
    })
  })

  it('are only tried in a dry run, whose new objects have no version', async () => {
    const { metadata, ...rest } = configMap('a', '1')
    const { resourceVersion: _version, ...unversioned } = metadata
    server.answer = (_seen, response) => json(response, { ...rest, metadata: unversioned })
    const api = apiOf('', true)
    const made = await api.create(configMaps, configMap('a', ''), never)
    expect(made.metadata.resourceVersion).toBeUndefined()
    await api.patch(configMaps, name, { type: 'apply', body: {}, manager: 'm' }, never)
    await expect(api.get(configMaps, name, never)).rejects.toThrow()
    server.answer = (_seen, response) => json(response, { kind: 'Status', status: 'Success' })
    await api.delete(configMaps, { ...name, uid: 'u' }, { propagation: 'Background' }, never)
    expect(asked().filter((line) => !line.startsWith('GET'))).toEqual([
      'POST /api/v1/namespaces/ns/configmaps?dryRun=All',
      'PATCH /api/v1/namespaces/ns/configmaps/a?fieldManager=m&dryRun=All',
      'DELETE /api/v1/namespaces/ns/configmaps/a?dryRun=All',
    ])
  })

  it('that are refused do not quote a Secret', async () => {
    server.answer = ({ body }, response) => json(response, statusJson(422, 'Invalid', `cannot use ${body}`), 422)
    const patch = { type: 'apply', body: { data: { key: 'aHVudGVy' } }, manager: 'm', hidden: ['aHVudGVy'] } as const
    const error = await apiOf().patch(secrets, name, patch, never).catch(String)
    expect(error).toContain('cannot use')
    expect(error).not.toContain('aHVudGVy')
  })

  it('whose answer is no object are failures that may pass', async () => {
    for (const answer of ['text', {}, { metadata: { name: 'a' } }, null]) {
      server.answer = (_seen, response) => json(response, answer)
      await expect(apiOf().get(configMaps, name, never)).rejects.toMatchObject({ code: 'kubernetes', retryable: true })
    }
  })
})

describe('a page', () => {
  it('has its objects with their kind, which lists leave out', async () => {
    const { apiVersion: _apiVersion, kind: _kind, ...item } = configMap('a', '1', { strange: { x: [null] } })
    server.answer = (_seen, response) =>
      json(response, { metadata: { resourceVersion: '5', continue: 'c&d' }, items: [item] })
    const options = { scope: { namespace: 'ns', labels: 'a=b,c' }, limit: 5, next: 'x/y' }
    expect(await apiOf().page(configMaps, options, never)).toEqual({
      objects: [configMap('a', '1', { strange: { x: [null] } })],
      version: '5',
      next: 'c&d',
    })
    expect(asked()).toEqual(['GET /api/v1/namespaces/ns/configmaps?labelSelector=a%3Db%2Cc&limit=5&continue=x%2Fy'])
  })

  it('that is too large is asked for in parts, and one object that is too large is a failure', async () => {
    const page = (...items: readonly object[]) => ({ metadata: { resourceVersion: '5' }, items })
    // Made once, since that takes long.
    const huge = Buffer.from(JSON.stringify(page(configMap('a', '1', {}, { huge: 'x'.repeat(33 * 1024 * 1024) }))))
    server.answer = ({ url = '' }, response) => {
      const limit = Number(/limit=(\d+)/.exec(url)?.[1])
      if (limit > 8 || url.includes('namespaces/huge')) response.end(huge)
      else json(response, page(configMap('a', '1')))
    }
    const { objects } = await apiOf().page(configMaps, { scope: {}, limit: 500 }, never)
    expect(objects.map(({ metadata }) => keyOf(metadata))).toEqual(['ns/a'])
    expect(asked().map((one) => /limit=\d+/.exec(one)?.[0])).toEqual(['limit=500', 'limit=125', 'limit=32', 'limit=8'])
    await expect(apiOf().page(configMaps, { scope: { namespace: 'huge' }, limit: 4 }, never)).rejects.toThrow(
      'list of configmaps',
    )
  })
})

describe('a watch', () => {
  const event = (type: string, object: unknown): string => `${JSON.stringify({ type, object })}\n`
  const watch = async (text: string): Promise<unknown[]> => {
    server.answer = (_seen, response) => void response.end(text)
    const told: unknown[] = []
    try {
      for await (const one of apiOf().watch(configMaps, { scope: {}, version: '1', seconds: 5 }, never)) {
        told.push('object' in one ? `${one.type} ${keyOf(one.object.metadata)} ${one.version}` : one)
      }
    } catch (error) {
      told.push(error)
    }
    return told
  }

  it('tells that it has begun, and what happens', async () => {
    const lines = [
      event('ADDED', configMap('a', '2')),
      event('MODIFIED', configMap('a', '3')),
      event('BOOKMARK', { metadata: { resourceVersion: '8' } }),
      event('DELETED', configMap('a', '9')),
    ]
    expect(await watch(lines.join(''))).toEqual([
      { type: 'open' },
      'set ns/a 2',
      'set ns/a 3',
      { type: 'bookmark', version: '8' },
      'remove ns/a 9',
    ])
    expect(asked()).toEqual([
      'GET /api/v1/configmaps?watch=true&allowWatchBookmarks=true&timeoutSeconds=5&resourceVersion=1',
    ])
  })

  it('ends with the status that the API gives', async () => {
    const status = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' }
    expect(await watch(event('ERROR', status))).toMatchObject([{ type: 'open' }, { status: 410, reason: 'Expired' }])
    expect(await watch(event('ERROR', 'what?'))).toMatchObject([{ type: 'open' }, { status: 500 }])
  })

  it.each(['nonsense\n', event('ADDED', {}), event('BOOKMARK', { metadata: {} }), '[]\n'])(
    'does not understand %j',
    async (line) => {
      expect(await watch(line)).toMatchObject([{ type: 'open' }, { status: 200, retryable: true }])
    },
  )
})
