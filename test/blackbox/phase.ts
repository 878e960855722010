import { get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import { patience } from '../lab/patience.ts'
import type { Agent } from './agent.ts'
import type { KubeApi, Texts } from './kube-api.ts'
import type { LocalApi, Message } from './localapi.ts'
import type { Files, Root } from './root.ts'

/** The agent and what it has to do with. */
export type Run = {
  readonly agent: Agent
  readonly root: Root
  readonly kube: KubeApi
  readonly localApi: LocalApi
  /** Puts this run's values in the place of names in braces. */
  readonly fill: (text: string) => string
}

/** What happens to a running agent, and then what it must make of it. */
export type Phase = {
  /** Files are written, in this order. */
  readonly write?: Files
  /** Somebody else changes the Secret. */
  readonly edit?: Texts
  /** tailscaled tells. */
  readonly tell?: Message
  readonly signal?: NodeJS.Signals
  /** Whatever else happens. */
  readonly deed?: (run: Run) => void

  /** Programs that are run now, in order, and no other; none when left out. */
  readonly runs?: readonly string[]
  /** The whole Secret; as it was before when left out. */
  readonly secret?: Texts
  /** The end of a line of the agent's own, or what such a line matches. */
  readonly log?: string | RegExp
  /** Each of the agent's own warnings so far, and no other. */
  readonly warnings?: readonly string[]
  /** What files hold, and where links lead. */
  readonly files?: Texts
  /** Status codes by `port/path` on the loopback address; 0 where nothing listens. */
  readonly answers?: Readonly<Record<string, number>>
  /** What tailscaled serves, and which Tailscale Services it hosts. */
  readonly serves?: object
  readonly hosts?: readonly string[]
  /** What tailscaled has been asked by now. */
  readonly asked?: string
  /** For so many ms, nothing else than that may happen. */
  readonly lasts?: number
  /** A program that still runs after all that. */
  readonly runsOn?: string
  /** The agent ends, with this code and nothing left running; the last phase. */
  readonly exit?: 0 | 1 | 2
}

export const startupComplete = 'Startup complete, waiting for shutdown signal'

/** What has been asked of a run up to a phase. */
export type Expected = { readonly calls: readonly string[]; readonly secret: Texts }

/** Lets a phase happen, and waits for what must come of it. */
export async function play(phase: Phase, before: Expected, run: Run): Promise<Expected> {
  const { root, kube, localApi, agent } = run
  root.write(phase.write ?? {})
  kube.edit(phase.edit ?? {})
  if (phase.tell !== undefined) localApi.tell(phase.tell)
  phase.deed?.(run)
  if (phase.signal !== undefined) agent.signal(phase.signal)

  const expected: Expected = {
    calls: [...before.calls, ...(phase.runs ?? [])],
    secret: phase.secret ?? { ...before.secret, ...phase.edit },
  }
  const { exit, log, warnings, files = {}, answers = {}, serves, hosts, asked, lasts, runsOn } = phase
  if (exit !== undefined) await ended(run, exit)
  if (log !== undefined) await becomes(() => agent.says(log), true, `the agent says: ${log}`)
  if (warnings !== undefined) expect(agent.warnings).toEqual(warnings)
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
  expect(kube.offences).toEqual([])
}

/** The agent ends with `code`, leaves the reason of a failure for kubelet, and nothing running. */
export async function ended({ agent, root }: Run, code: 0 | 1 | 2): Promise<void> {
  await becomes(() => agent.end, code, 'exit code')
  // What a shell has ended may take a moment longer than the shell.
  await becomes(() => [...agent.children.values()], [], 'what is left running')
  const reason = root.read('dev/termination-log')
  if (code === 0) expect(reason).toBe('')
  else await becomes(() => agent.says(`error: ${reason}`), true, reason)
}

/** Waits until `look` gives `wanted`. A comparison by vitest costs too much to be repeated at every look. */
export async function becomes<T>(look: () => T | Promise<T>, wanted: T, what: string): Promise<void> {
  const end = performance.now() + patience
  while (!isDeepStrictEqual(await look(), wanted) && performance.now() < end) await delay(25)
  expect(await look(), what).toEqual(wanted)
}

/** The status that a GET is answered with; 0 when nothing listens. */
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
