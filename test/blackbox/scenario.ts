import { once } from 'node:events'
import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Agent, type Environment } from './agent.ts'
import type { Generation } from './generations.ts'
import { KubeApi, type Texts } from './kube-api.ts'
import { LocalApi } from './localapi.ts'
import { becomes, ended, type Phase, play, type Run, same, startupComplete } from './phase.ts'
import { type Files, Root } from './root.ts'
import { semaphore } from './semaphore.ts'

/** One run of the agent. */
export type Scenario = {
  /**
   * Added to the settings of every scenario. In values and arguments, `{root}` is the fake root, `{port}` and
   * `{older port}` are free ones, `{api port}` is that of the Kubernetes API.
   */
  readonly env?: Environment
  readonly args?: readonly string[]
  /** The content of the Secret. */
  readonly secret?: Texts
  /** Verbs on the Secret that the service account lacks. */
  readonly denied?: readonly string[]
  /** Files that are added to or replace the default ones. */
  readonly files?: Files
  /** How tailscaled speaks. */
  readonly generation?: Generation
  readonly phases: readonly Phase[]
}

/**
 * Plays a scenario phase by phase. Unless its last phase is the agent's exit, start-up must then be complete, and at
 * SIGTERM the agent must exit with 0, having done nothing beyond what the phases name.
 */
export async function playScenario({
  env = {},
  args = [],
  secret = {},
  denied = [],
  files,
  generation,
  phases,
}: Scenario): Promise<void> {
  await using kube = await KubeApi.start(secret, denied)
  const root = new Root(kube.root, files)
  const socket = join(root.path, 'tmp/localapi.sock')
  await using localApi = await LocalApi.start(socket, generation)
  const values = {
    root: root.path,
    port: await freePort(),
    'older port': await freePort(),
    'api port': kube.port,
  }
  const fill = (text: string): string =>
    Object.entries(values).reduce((rest, [name, value]) => rest.replaceAll(`{${name}}`, value), text)
  const filled = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, fill(value)]))
  const started = await starts()
  await using agent = new Agent(root, socket, filled, args.map(fill))
  const run: Run = { agent, root, kube, localApi, fill }

  let expected = { calls: [] as readonly string[], secret }
  let doing = ''
  try {
    for (const [index, phase] of phases.entries()) {
      doing = `in phase ${index + 1}`
      expected = await play(phase, expected, run)
      started()
    }
    doing = 'at the end'
    if (phases.at(-1)?.exit === undefined) {
      await becomes(() => agent.hasLogged(startupComplete), true, startupComplete)
      agent.signal('SIGTERM')
      await ended(run, 0)
    }
    same(run, expected)
  } catch (error) {
    if (error instanceof Error) error.message += `\n${doing}; what the agent and its children said:\n${agent.output}`
    throw error
  } finally {
    started()
  }
}

/** Starts are limited by the CPU, so more at once would not be faster; the rest is mostly waiting. */
const starts = semaphore(availableParallelism())

/** Below the ephemeral ports, so that the kernel gives none of them to another process first. */
let lastPort = 20_000 + (process.pid % 10_000)

async function freePort(): Promise<string> {
  const port = (lastPort += 1)
  const server = createServer().listen(port)
  try {
    await once(server, 'listening')
    return String(port)
  } catch {
    return freePort()
  } finally {
    server.close()
  }
}
