import { get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import { patience } from '../lab/patience.ts'
import type { Agent } from './agent.ts'
import type { KubeApi, Texts } from './kube-api.ts'
import type { LocalApi, Message } from './localapi.ts'
import type { Files, Root } from './root.ts'

/** The agent and its surroundings. */
export type Run = {
  readonly agent: Agent
  readonly root: Root
  readonly kube: KubeApi
  readonly localApi: LocalApi
  /** Replaces names in braces with the values of this run. */
  readonly fill: (text: string) => string
}

/** What happens to a running agent, followed by what is expected of it. */
export type Phase = {
  /** Files are written, in this order. */
  readonly write?: Files
  /** Another client changes the Secret. */
  readonly edit?: Texts
  /** tailscaled sends a message on the bus. */
  readonly send?: Message
  readonly signal?: NodeJS.Signals
  /** Anything else that happens. */
  readonly act?: (run: Run) => void

  /** Programs that are run now, in order, and no other; none when left out. */
  readonly runs?: readonly string[]
  /** The whole Secret; unchanged when left out. */
  readonly secret?: Texts
  /** The end of a log line of the agent, or a pattern for one. */
  readonly log?: string | RegExp
  /** All warnings that the agent has logged so far. */
  readonly warnings?: readonly string[]
  /** Contents of files, and targets of links. */
  readonly files?: Texts
  /** Status codes by `port/path` on the loopback address; 0 where nothing listens. */
  readonly answers?: Readonly<Record<string, number>>
  /** What tailscaled serves, and the Tailscale Services that it hosts. */
  readonly serves?: object
  readonly hosts?: readonly string[]
  /** A request that LocalAPI has had by now. */
  readonly asked?: string
  /** For this many ms nothing else may happen. */
  readonly lasts?: number
  /** A program that is still running afterwards. */
  readonly runsOn?: string
  /** The agent exits with this code and leaves nothing running; the last phase. */
  readonly exit?: 0 | 1 | 2
}

export const startupComplete = 'Startup complete, waiting for shutdown signal'

/** The expected calls and Secret up to a phase. */
export type Expected = { readonly calls: readonly string[]; readonly secret: Texts }

/** Plays a phase, and waits for what is expected. */
export async function play(phase: Phase, before: Expected, run: Run): Promise<Expected> {
  const { root, kube, localApi, agent } = run
  root.write(phase.write ?? {})
  kube.edit(phase.edit ?? {})
  if (phase.send !== undefined) localApi.send(phase.send)
  phase.act?.(run)
  if (phase.signal !== undefined) agent.signal(phase.signal)

  const expected: Expected = {
    calls: [...before.calls, ...(phase.runs ?? [])],
    secret: phase.secret ?? { ...before.secret, ...phase.edit },
  }
  const { exit, log, warnings, files = {}, answers = {}, serves, hosts, asked, lasts, runsOn } = phase
  if (exit !== undefined) await ended(run, exit)
  if (log !== undefined) await becomes(() => agent.hasLogged(log), true, `the agent says: ${log}`)
  await becomes(() => kube.texts, expected.secret, 'the Secret')
  await becomes(() => root.calls, expected.calls, 'what was run')
  for (const [name, content] of Object.entries(files)) await becomes(() => root.read(name), content, name)
  for (const [address, status] of Object.entries(answers)) {
    const url = `http://127.0.0.1:${run.fill(address)}`
    await becomes(() => statusOf(url), status, url)
  }
  if (serves !== undefined) await becomes(() => localApi.serves, serves, 'what is served')
  if (hosts !== undefined) await becomes(() => localApi.hosts, hosts, 'what is hosted')
  if (asked !== undefined) await becomes(() => localApi.seen.has(asked), true, asked)
  if (warnings !== undefined) await becomes(() => agent.warnings, warnings, 'warnings')
  if (lasts !== undefined) {
    await delay(lasts)
    expect(agent.end, 'it runs on').toBe(undefined)
    same(run, expected)
  }
  if (runsOn !== undefined) expect([...agent.children.values()]).toContain(runsOn)
  return expected
}

/** Nothing was run, written or tried beyond what was expected. */
export function same({ root, kube }: Run, { calls, secret }: Expected): void {
  expect(root.calls).toEqual(calls)
  expect(kube.texts).toEqual(secret)
  expect(kube.forbidden).toEqual([])
}

/** The agent exits with `code`, leaves the reason of a failure for kubelet, and nothing running. */
export async function ended({ agent, root }: Run, code: 0 | 1 | 2): Promise<void> {
  await becomes(() => agent.end, code, 'exit code')
  const left = [...agent.children.values()]
  expect(
    left.filter((name) => name.startsWith('tailscale')),
    'what the agent has not waited for',
  ).toEqual([])
  // What a shell has killed may end a moment after the shell.
  await becomes(() => [...agent.children.values()], [], 'what is left running')
  const reason = root.read('dev/termination-log')
  if (code === 0) expect(reason).toBe('')
  else await becomes(() => agent.hasLogged(`error: ${reason}`), true, reason)
}

/** Waits until `look` returns `wanted`. vitest's comparison is too slow to be repeated that often. */
export async function becomes<T>(look: () => T | Promise<T>, wanted: T, what: string): Promise<void> {
  const end = performance.now() + patience
  while (!isDeepStrictEqual(await look(), wanted) && performance.now() < end) await delay(25)
  expect(await look(), what).toEqual(wanted)
}

/** The status code of the answer to a GET; 0 when nothing listens. */
function statusOf(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, timeout: patience }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    request.on('timeout', () => request.destroy(new Error(`no answer from ${url}`)))
    request.on('error', (error: NodeJS.ErrnoException) => (error.code === 'ECONNREFUSED' ? resolve(0) : reject(error)))
  })
}
