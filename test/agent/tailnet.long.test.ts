import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent as Connections, get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { sleep } from '../../lib/timers.ts'
import { Agent } from '../blackbox/agent.ts'
import { programs } from '../blackbox/programs.ts'
import { Root } from '../blackbox/root.ts'
import type { Status } from './proxy.ts'

const minute = 60_000
const duration = 5 * minute
/** The time between two probes, and between two looks at what the agent knows, in ms. */
const probeEvery = 10
const lookEvery = 200

const bareServer = "require('http').createServer((_, answer) => answer.end('ok')).listen(process.argv[1])"
const connections = new Connections({ keepAlive: true, maxSockets: 64 })

/** Sends a request to a server on a unix socket; returns the answer, and the time it took in ms. */
const ask = async (socketPath: string, path: string): Promise<{ body: string; took: number }> =>
  new Promise((resolve, reject) => {
    const began = performance.now()
    const request = get({ socketPath, path, agent: connections }, (response) => {
      let body = ''
      response.setEncoding('utf8').on('data', (text: string) => (body += text))
      response.on('end', () => resolve({ body, took: performance.now() - began })).on('error', reject)
    })
    // The server closes idle connections, which may include the one that was just taken.
    const again = (error: NodeJS.ErrnoException): boolean => request.reusedSocket && error.code === 'ECONNRESET'
    request.on('error', (error) => (again(error) ? resolve(ask(socketPath, path)) : reject(error)))
  })

/**
 * Sends a request every `probeEvery` ms, answered or not, until `signal` aborts; returns the times they took, in ms.
 */
async function probe(socketPath: string, signal: AbortSignal): Promise<number[]> {
  const answers: Promise<number>[] = []
  for (const began = performance.now(); !signal.aborted;) {
    answers.push(ask(socketPath, '/livez').then(({ took }) => took))
    await sleep(Math.max(0, began + answers.length * probeEvery - performance.now()), signal)
  }
  return Promise.all(answers)
}

const slowestOf100 = (values: readonly number[]): number =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length * 0.99)] ?? Number.NaN
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

/** A number in /proc/PID/status. */
const statusOf = (pid: number, name: string): number =>
  Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])

/** The number of the change that set this address. */
const numberOf = (address = ''): number => {
  const [, , high = Number.NaN, low = Number.NaN] = address.split('.').map(Number)
  return high * 256 + low
}

const modes = {
  ingress: { TS_DEST_IP: '10.0.0.9' },
  // This needs the peers, too.
  egress: { TS_TAILNET_TARGET_FQDN: 'mover.lab.ts.net' },
}

const title =
  '%s: 10,000 peers and 100 changes a second for five minutes: nothing missed, flat memory, a responsive event loop'
it.each(Object.entries(modes))(title, async (_name, mode) => {
  await using parts = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'culvert-tailnet-'))
  parts.defer(() => rmSync(folder, { recursive: true }))
  const tailnet = fork(join(import.meta.dirname, 'programs/tailnet.ts'), [join(folder, 'localapi.sock')])
  parts.defer(() => void tailnet.kill())
  await once(tailnet, 'message')
  /** The number of the last change. */
  let last = 0
  tailnet.on('message', (number: number) => (last = number))
  // What the same probes take of a process that does nothing else is the machine's share.
  const idle = spawn(process.execPath, ['-e', bareServer, join(folder, 'idle.sock')])
  parts.defer(() => void idle.kill())
  const env = { TS_USERSPACE: 'false', ...mode }
  const lasting = programs.tailscaled.replace('sleep 60', 'sleep 600')
  const root = new Root(folder, { 'usr/bin/tailscaled': lasting })
  const agent = parts.use(new Agent(root, join(folder, 'localapi.sock'), env))
  await expect.poll(() => agent.hasLogged(/Startup complete/)).toBe(true)

  const socket = join(folder, 'tmp/culvert.sock')
  const status = async (): Promise<Status> => JSON.parse((await ask(socket, '/status')).body) as Status
  const pid = statusOf((await status()).tailscaled.pid, 'PPid')
  const ended = new AbortController()
  const over = AbortSignal.any([AbortSignal.timeout(duration), ended.signal])
  const probes = Promise.all([probe(socket, over), probe(join(folder, 'idle.sock'), over)])
  parts.defer(async () => {
    ended.abort()
    await probes.catch(() => {})
  })

  const seen = { name: 0, address: 0, rules: 0 }
  // At the start, messages that are older than the first status may still be queued behind it. What is newer than both
  // comes after them.
  let hasCaughtUp = false
  /** Reads the status until everything in it is of the change `due` or a later one; it must never go back. */
  const look = async (due: number): Promise<void> => {
    for (;;) {
      const { notReady, node, targets, egress } = await status()
      const now = {
        name: Number(/^proxy-(\d+)\./.exec(node.name ?? '')?.[1]),
        address: numberOf(node.addresses[0]),
        rules: numberOf(egress?.addresses[0] ?? targets[0]?.from[0]),
      }
      for (const part of ['name', 'address', 'rules'] as const) {
        if (hasCaughtUp) expect(now[part], part).toBeGreaterThanOrEqual(seen[part])
        seen[part] = now[part]
      }
      // The rules may still be about to follow.
      expect(notReady.filter((reason) => !reason.startsWith('forwarding: '))).toEqual([])
      if (Object.values(seen).every((part) => part >= due)) break
      await sleep(lookEvery)
    }
  }
  /** Anonymous memory, in MiB, at a time in ms. */
  const memory: { readonly at: number; readonly MiB: number }[] = []
  const began = performance.now()
  await look(last)
  await look(last + 1)
  hasCaughtUp = true
  while (!over.aborted) {
    await look(last)
    memory.push({ at: performance.now() - began, MiB: statusOf(pid, 'RssAnon') / 1024 })
    await sleep(lookEvery, over)
  }
  tailnet.send('rest')
  // Until what it was about to send is here.
  await sleep(1000)
  await look(last)
  expect(agent.hasLogged(/fell behind/)).toBe(false)
  expect(seen).toEqual({ name: last, address: last, rules: last })
  expect(last).toBeGreaterThan((duration / 1000) * 19)

  const [taken, machine] = await probes
  // On a busy machine, a process that computes more waits longer than one that does nothing.
  expect(slowestOf100(taken)).toBeLessThan(50 + 3 * slowestOf100(machine))
  const before = (time: number): number =>
    mean(memory.filter(({ at }) => at > time - minute / 6 && at <= time).map(({ MiB }) => MiB))
  // By then V8 has grown its heap to what this tailnet needs.
  expect(before(duration) - before(2 * minute)).toBeLessThan(8)
})
