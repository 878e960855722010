import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { kubeClient, type KubeClient } from '../../kube/client.ts'
import { describe as inWords } from '../../lib/errors.ts'
import { ApiServer, certificateFor, json, reasonOf, secretJson, statusJson } from './api-server.ts'

let server: ApiServer
const never = new AbortController().signal
const secret = secretJson('a', '1')
const times = (count: number) => Array.from({ length: count }, (_, index) => index)
beforeEach(async () => {
  server = await ApiServer.start()
})
afterEach(() => server[Symbol.asyncDispose]())

describe('connections', () => {
  it('are reused, and closed when idle', async () => {
    server.answer = (_seen, response) => json(response, secret)
    const client = server.client()
    for (const _ of times(5)) await client.getSecret('a', never)
    expect(server.connections).toBe(1)
    expect(await server.open()).toBe(1)
    await expect.poll(() => server.open()).toBe(0)
    await client.getSecret('a', never)
    expect(server.connections).toBe(2)
  })

  it('are reused after a refusal', async () => {
    server.answer = (_seen, response) => json(response, statusJson(403, 'Forbidden', 'no'), 403)
    const client = server.client()
    for (const _ of times(3)) await reasonOf(client.getSecret('a', never))
    expect(server.connections).toBe(1)
  })

  it('opened by many simultaneous calls are closed when idle, too', async () => {
    const waiting: ServerResponse[] = []
    server.answer = (_seen, response) => {
      if (waiting.push(response) === 10) for (const one of waiting) json(one, secret)
    }
    const client = server.client()
    await Promise.all(times(10).map(() => client.getSecret('a', never)))
    expect(server.connections).toBe(10)
    await expect.poll(() => server.open()).toBe(0)
  })

  /** A client whose idle connection breaks at its next request. */
  const withDeadConnection = async (): Promise<KubeClient> => {
    const client = server.client()
    server.answer = (_seen, response) => json(response, secret)
    await client.getSecret('a', never)
    server.answer = (_seen, response, request) =>
      server.seen.length === 2 ? request.socket.destroy() : json(response, secret)
    return client
  }

  it('that broke while idle are replaced', async () => {
    expect(await (await withDeadConnection()).patchSecret('a', new Map(), never)).toMatchObject({ name: 'a' })
    expect(server.seen.map(({ method }) => method)).toEqual(['GET', 'PATCH', 'PATCH'])
  })

  it('that broke are not replaced for a request that must not be repeated', async () => {
    const client = await withDeadConnection()
    await expect(client.createSecret('a', new Map(), never)).rejects.toMatchObject({ retryable: true })
    expect(server.seen).toHaveLength(2)
  })

  it('that break at once are an error', async () => {
    server.answer = (_seen, _response, request) => request.socket.destroy()
    const error = await reasonOf(server.client().getSecret('a', never))
    expect(error).toMatchObject({ retryable: true, status: undefined })
    expect(inWords(error)).toMatch(/failed: other side closed. Check that the Pod reaches https:\/\/127.0.0.1:\d+ /)
    expect(server.seen).toHaveLength(1)
  })

  it('that are not accepted are an error', async () => {
    const gone = await ApiServer.start()
    await gone[Symbol.asyncDispose]()
    const client = kubeClient({ ...server.cluster, port: gone.cluster.port })
    const error = await reasonOf(client.getSecret('a', never))
    expect(inWords(error)).toContain('failed: connect ECONNREFUSED')
  })
})

describe('the certificate authority', () => {
  it('is only that of ca.crt, read at each call', async () => {
    const client = server.client()
    server.answer = (_seen, response) => json(response, secret)
    await client.getSecret('a', never)
    server.write({ 'ca.crt': (await certificateFor('IP:127.0.0.1')).cert })
    const error = await reasonOf(client.getSecret('a', never))
    expect(error).toMatchObject({ retryable: true })
    expect(inWords(error)).toMatch(/failed: .*self-signed certificate.* Check that .*ca\.crt/)
    server.write({ 'ca.crt': server.ca })
    expect(await client.getSecret('a', never)).toMatchObject({ name: 'a' })
    expect(server.seen).toHaveLength(2)
  })

  it('must have signed a certificate for the right name', async () => {
    const fallback = await certificateFor('DNS:kubernetes.default.svc', 'IP:10.96.0.1')
    await using other = await ApiServer.start('127.0.0.1', fallback)
    expect(inWords(await reasonOf(other.client().getSecret('a', never)))).toMatch(/127\.0\.0\.1.*10\.96\.0\.1/)
    expect(other.seen).toEqual([])
  })

  it('is required: no call succeeds when ca.crt is damaged', async () => {
    server.write({ 'ca.crt': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' })
    await expect(server.client().getSecret('a', never)).rejects.toMatchObject({ code: 'kubernetes' })
    expect(server.seen).toEqual([])
  })

  it('is checked whatever the environment says', async () => {
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    try {
      server.write({ 'ca.crt': (await certificateFor('IP:127.0.0.1')).cert })
      await expect(server.client().getSecret('a', never)).rejects.toMatchObject({ code: 'kubernetes' })
    } finally {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    }
  })
})

it.each(['::1', '[::1]'])('an API server with the address %s is reached', async (host) => {
  await using six = await ApiServer.start('::1')
  six.answer = (_seen, response) => json(response, secret)
  const client = kubeClient({ ...six.cluster, host })
  expect(await client.getSecret('a', never)).toMatchObject({ name: 'a' })
  expect(six.seen[0]?.headers.host).toBe(`[::1]:${six.cluster.port}`)
})
