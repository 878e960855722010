import { once } from 'node:events'
import { createServer } from 'node:net'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Agent, type Environment } from './agent.ts'
import { KubeApi, type Texts } from './kube-api.ts'
import { LocalApi } from './localapi.ts'
import { becomes, ended, type Phase, play, type Run, same, startupComplete } from './phase.ts'
import { type Files, Root } from './root.ts'
import { turns } from './turns.ts'

/** One life of the agent. */
export type Scenario = {
  /**
   * Beside what every scenario has. In values and arguments, `{root}` is the fake root, `{port}` and `{older port}` are free ones,
   * `{api port}` is the one of the Kubernetes API.
   */
  readonly env?: Environment
  readonly args?: readonly string[]
  /** What the Secret holds. */
  readonly secret?: Texts
  /** Verbs on the Secret that the service account lacks. */
  readonly denied?: readonly string[]
  /** Files beside or instead of the usual ones. */
  readonly files?: Files
  readonly phases: readonly Phase[]
}

/**
 * Plays a scenario phase by phase. Unless it is about the agent's end, start-up is then complete, and at SIGTERM the
 * agent ends well, having done nothing beyond what the phases name.
 */
export async function playScenario({
  env = {},
  args = [],
  secret = {},
  denied = [],
  files,
  phases,
}: Scenario): Promise<void> {
  await using kube = await KubeApi.start(secret, denied)
  const root = new Root(kube.root, files)
  const socket = join(root.path, 'tmp/localapi.sock')
  await using localApi = await LocalApi.start(socket)
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
      await becomes(() => agent.says(startupComplete), true, startupComplete)
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

/** A start is all computing: more at once would only take the time from each other. What comes after is all waiting. */
const starts = turns(availableParallelism())

/** Below those that the kernel gives out by itself, so that nothing takes one before the agent does. */
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
