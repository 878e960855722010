import { rename, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { close, listen, serve, type Answer } from '../../lib/http-server.ts'
import { buildImage } from '../lab/images/image.ts'
import type { Ran } from '../lab/run.ts'
import { coldBuild, leftToNode, printsArguments, Unpacked } from './unpacked.ts'

/** The files of the image; in place of the agent, a program that prints how it was started. */
let files: Unpacked
let root: string
beforeAll(async () => {
  files = await Unpacked.of((await buildImage()).digest)
  root = files.root
  await files.replaceAgent(printsArguments)
}, coldBuild)
afterAll(() => files[Symbol.asyncDispose]())

const socket = '/tmp/agent.sock'
type Environment = Readonly<Record<string, string>>
const environment: Environment = { CULVERT_SOCKET: socket }

/** Runs a probe as kubelet does. */
const probe = (args: readonly string[], env = environment): Promise<Ran> => files.run(['culvert', ...args], env)
/** Runs the same command under Node. */
const byNode = (args: readonly string[], env = environment): Promise<Ran> =>
  files.run(['node', '/agent.js', ...args], env)

const servers: Server[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))))
  await rm(join(root, socket), { force: true })
})

/** A socket in the image's file system that answers every connection like this. */
async function answering(answer: (connection: Socket) => void, path = socket): Promise<void> {
  const server = createServer((connection) => {
    connection.on('error', () => undefined)
    answer(connection)
    // So that it ends when the client does.
    connection.resume()
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(join(root, path), resolve))
}

describe('gives the same output as Node does, without starting Node', () => {
  const reasons = 'forwarding: the rules’ table is gone\ntailscaled: is starting'
  test.each<[string, string[], Answer, 0 | 1]>([
    ['ready', ['ready'], { status: 200, body: 'ok' }, 0],
    ['not ready', ['ready'], { status: 503, body: reasons }, 1],
    ['every check', ['ready', '--verbose'], { status: 200, body: 'forwarding: ok\ntailscaled: ok' }, 0],
    ['every check, not ready', ['ready', '--verbose'], { status: 503, body: reasons }, 1],
    ['a long list', ['ready', '--verbose'], { status: 503, body: `${reasons}\n`.repeat(10_000) }, 1],
    ['live', ['live'], { status: 200, body: 'ok' }, 0],
    ['not live', ['live'], { status: 500, body: 'stuck: forwarding' }, 1],
    ['an empty body', ['live'], { status: 200, body: '' }, 0],
  ])('%s', async (_what, args, answer, exitCode) => {
    const asked: string[] = []
    const answerFor = (path: string) => (query: URLSearchParams) => {
      asked.push(`${path}${query.has('verbose') ? ' verbose' : ''}`)
      return answer
    }
    const routes = serve({ '/readyz': answerFor('/readyz'), '/livez': answerFor('/livez') })
    const server = await listen(routes, { path: join(root, socket) })
    try {
      const ran = await probe(args)
      expect(ran).toEqual({ stdout: answer.body, stderr: '', exitCode })
      expect(ran).toEqual(await byNode(args))
      expect(asked[0]).toMatch(args[0] === 'live' ? '/livez' : '/readyz')
      expect(asked[0]).toBe(asked[1])
    } finally {
      await close(server)
    }
  })

  test.each<[string, string, Environment]>([
    ['at the default path', '/tmp/culvert.sock', {}],
    ['at the default path, with an empty variable', '/tmp/culvert.sock', { CULVERT_SOCKET: '' }],
    ['below the root of a test', '/root/x/tmp/culvert.sock', { TS_TEST_ONLY_ROOT: '/root/x' }],
    ['elsewhere', '/run/none.sock', { CULVERT_SOCKET: '/run/none.sock', TS_TEST_ONLY_ROOT: '/root/x' }],
    ['at a path that a shell would split', '/tmp/\'$(id)" x', { CULVERT_SOCKET: '/tmp/\'$(id)" x' }],
  ])('no socket, %s', async (_what, path, env) => {
    const ran = await probe(['ready'], env)
    const stderr = `culvert: no agent answers on ${path}: connect ENOENT ${path}`
    expect(ran).toEqual({ stdout: '', stderr, exitCode: 1 })
    expect(ran).toEqual(await byNode(['ready'], env))
  })

  test('a socket on which nothing listens', async () => {
    await writeFile(join(root, socket), '')
    const ran = await probe(['live'])
    expect(ran).toMatchObject({ stderr: expect.stringContaining('ECONNREFUSED'), exitCode: 1 })
    expect(ran).toEqual(await byNode(['live']))
  })

  test('an agent that hangs, before its answer and within it', async () => {
    const head = 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n'
    const hangs = ['', head, `${head}ok`].map(async (beginning, index) => {
      const path = `/tmp/hanging-${index}.sock`
      const env = { CULVERT_SOCKET: path }
      await answering((connection) => connection.write(beginning), path)
      const [ran, same] = await Promise.all([probe(['ready'], env), byNode(['ready'], env)])
      const stderr = `culvert: no agent answers on ${path}: no answer within 5 s`
      expect(ran).toEqual({ stdout: '', stderr, exitCode: 1 })
      expect(ran).toEqual(same)
    })
    await Promise.all(hangs)
  })
})

describe('leaves what it does not know to Node', () => {
  test.each([
    [[]],
    [['status']],
    [['version']],
    [['ready', '--help']],
    [['ready', '--verbose', '--verbose']],
    [['ready --verbose']],
    [['ready', 'a "b" $(c)']],
    [['live', '--verbose']],
    [['live', '']],
    [['ready', '--culvert-socket=/tmp/agent.sock']],
    [['run', '--dest-ip=10.0.0.1']],
    [['--dest-ip=10.0.0.1', 'ready']],
    [['completion', 'bash']],
  ])('the arguments %j', async (args) => {
    expect(await probe(args)).toEqual(leftToNode(...args))
  })

  test.each([
    ['garbage', 'SSH-2.0-OpenSSH_10.0\r\n\r\n'],
    ['nothing', ''],
    ['half a head', 'HTTP/1.1 200 OK\r\nContent-Le'],
    ['a body that is too short', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok\n'],
    ['a body that is too long', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nok\n'],
    [
      'a body larger than any agent sends',
      `HTTP/1.1 200 OK\r\nContent-Length: ${2 << 20}\r\n\r\n${'x'.repeat(2 << 20)}`,
    ],
    ['chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nok\n\r\n0\r\n\r\n'],
  ])('an answer of %s', async (_what, text) => {
    await answering((connection) => connection.once('data', () => connection.end(text)))
    expect(await probe(['ready'])).toEqual(leftToNode('ready'))
  })

  test('a connection that breaks', async () => {
    await answering((connection) => connection.destroy())
    expect(await probe(['ready'])).toEqual(leftToNode('ready'))
  })

  test('a path that is too long for a socket', async () => {
    expect(await probe(['ready'], { CULVERT_SOCKET: `/${'x'.repeat(107)}` })).toEqual(leftToNode('ready'))
  })

  test('everything, without Perl', async () => {
    await rename(join(root, 'usr/bin/perl'), join(root, 'usr/bin/none'))
    try {
      expect(await probe(['ready', '--verbose'])).toEqual(leftToNode('ready', '--verbose'))
    } finally {
      await rename(join(root, 'usr/bin/none'), join(root, 'usr/bin/perl'))
    }
  })
})
