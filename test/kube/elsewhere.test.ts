import dns from 'node:dns'
import { syncBuiltinESMExports } from 'node:module'
import { isIP } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { kubeClient, type KubeClient } from '../../kube/client.ts'
import { describe as inWords } from '../../lib/errors.ts'
import { ApiServer, certificateFor, json, reasonOf, secretJson } from './api-server.ts'

type Resolved = NodeJS.ErrnoException | string | undefined

/** How the system's resolver answers: with an error, an address, or not at all. */
let resolved: (name: string) => Resolved
let asked: string[] = []
const { lookup } = dns
type Done = (error: Error | null, found?: dns.LookupAddress[]) => void
beforeAll(() => {
  const played = (name: string, options: dns.LookupAllOptions, done: Done): void => {
    // Servers ask it for their own addresses, too.
    if (isIP(name) !== 0) return lookup(name, options, done)
    asked.push(name)
    const answer = resolved(name)
    if (answer instanceof Error) setImmediate(done, answer)
    else if (answer !== undefined) setImmediate(done, null, [{ address: answer, family: 4 }])
  }
  Object.assign(dns, { lookup: played })
  syncBuiltinESMExports()
})
afterAll(() => {
  Object.assign(dns, { lookup })
  syncBuiltinESMExports()
})
const fails = (code: string) => (): Resolved =>
  Object.assign(new Error(`getaddrinfo ${code}`), { code, syscall: 'getaddrinfo' })
const notFound = fails('ENOTFOUND')
const silent = (): Resolved => undefined
const found = (): Resolved => '127.0.0.1'

const never = new AbortController().signal
const forName = await certificateFor('DNS:kubernetes.default.svc')

async function start(host = '127.0.0.1', certificate = forName): Promise<ApiServer> {
  const server = await ApiServer.start(host, certificate)
  server.answer = (_seen, response) => json(response, secretJson('a', '1'))
  return server
}

const byName = ({ cluster }: ApiServer): KubeClient => kubeClient({ ...cluster, addressFromEnv: false })

beforeEach(() => {
  asked = []
  resolved = notFound
})

it.each<[string, typeof resolved, string]>([
  ['does not exist', notFound, '127.0.0.1'],
  ['cannot be looked up', fails('EAI_AGAIN'), '127.0.0.1'],
  ['is not answered for', silent, '127.0.0.1'],
  ['does not exist, in a cluster of IPv6', notFound, '::1'],
])('an API whose name %s is asked at its address', async (_name, answer, host) => {
  resolved = answer
  await using server = await start(host)
  const client = byName(server)
  expect(client.elsewhere()).toBeUndefined()
  const secrets = await Promise.all([1, 2, 3].map(() => client.getSecret('a', never)))
  expect(secrets).toMatchObject([{ name: 'a' }, { name: 'a' }, { name: 'a' }])
  expect(server.seen[0]?.headers.host).toBe('kubernetes.default.svc')
  expect(client.elsewhere()).toBe(`https://${host === '::1' ? '[::1]' : host}:${server.cluster.port}`)
  // However many ask, there is one lookup, and none for later connections.
  server.cut()
  await client.getSecret('a', never)
  expect(asked).toEqual(['kubernetes.default.svc'])
})

it('the address may be a name as well', async () => {
  resolved = (name) => (name === 'api.lab' ? found() : silent())
  await using server = await start()
  const client = kubeClient({ ...server.cluster, host: 'api.lab', addressFromEnv: false })
  expect(await client.getSecret('a', never)).toMatchObject({ name: 'a' })
  expect(asked).toEqual(['kubernetes.default.svc', 'api.lab'])
})

it('the certificate there must be for the name', async () => {
  await using server = await start('127.0.0.1', await certificateFor('IP:127.0.0.1', 'DNS:other.svc'))
  const error = inWords(await reasonOf(byName(server).getSecret('a', never)))
  expect(error).toMatch(/Host: kubernetes\.default\.svc\. is not in the cert/)
  expect(server.seen).toEqual([])
})

it('a name that is found is where it is asked', async () => {
  resolved = found
  await using server = await start()
  const client = byName(server)
  expect(inWords(await reasonOf(client.getSecret('a', never)))).toContain('ECONNREFUSED 127.0.0.1:443')
  expect(client.elsewhere()).toBeUndefined()
  expect(server.seen).toEqual([])
})

it('the name is tried again when nothing is at the address', async () => {
  const gone = await start()
  await gone[Symbol.asyncDispose]()
  await using server = await start()
  const client = kubeClient({ ...server.cluster, port: gone.cluster.port, addressFromEnv: false })
  expect(inWords(await reasonOf(client.getSecret('a', never)))).toContain(`ECONNREFUSED 127.0.0.1:${gone.cluster.port}`)
  resolved = found
  expect(inWords(await reasonOf(client.getSecret('a', never)))).toContain('ECONNREFUSED 127.0.0.1:443')
})
