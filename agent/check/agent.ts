import { readFile } from 'node:fs/promises'
import * as z from 'zod/mini'
import { CulvertError } from '../../lib/errors.ts'
import { parseJson } from '../../lib/json.ts'
import type { Environment } from '../settings/read.ts'

const texts = z.array(z.string())
const statusSchema = z.object({
  agent: z.object({ pid: z.number(), flags: texts }),
  checks: z.record(z.string(), z.object({ state: z.string(), reason: z.nullable(z.string()) })),
  firewall: z.nullable(z.object({ name: z.string(), reason: z.string() })),
  dns: z.nullable(z.object({ addresses: texts })),
  node: z.object({ addresses: texts, keyExpiry: z.nullable(z.string()) }),
  rejected: z.array(z.object({ file: z.string(), entry: z.string(), field: z.string(), reason: z.string() })),
  tailscaled: z.object({ health: texts, version: z.nullable(z.string()) }),
})
const rulesetSchema = z.object({
  mappings: z.optional(z.array(z.object({ from: z.enum(['tailnet', 'cluster']), to: texts }))),
})

/** What the running agent says of itself, as far as it is used here: the answers of its socket. */
export type Agent = {
  readonly status: z.infer<typeof statusSchema>
  readonly ruleset: z.infer<typeof rulesetSchema>
}

/** Asks an agent by its socket. */
export type Ask = (socket: string, path: string) => Promise<{ readonly body: string }>

/** Rejects if nothing answers on the socket, or something else than an agent of this version. */
export async function askAgent(socket: string, ask: Ask): Promise<Agent> {
  const answer = async <T extends z.ZodMiniType>(path: string, schema: T): Promise<z.infer<T>> => {
    const { success, data } = z.safeParse(schema, parseJson((await ask(socket, path)).body))
    if (success) return data
    throw new CulvertError('command', `what it says at ${path} cannot be read`, {
      remedy: 'An agent and its commands must be of the same version.',
    })
  }
  const [status, ruleset] = await Promise.all([answer('/status', statusSchema), answer('/ruleset', rulesetSchema)])
  return { status, ruleset }
}

/**
 * The environment with which the agent was started, or `otherwise` if the system does not show it: to another user, or
 * in another container.
 */
export async function environmentOf({ pid, flags }: Agent['status']['agent'], otherwise: Environment) {
  const read = async (file: string): Promise<string[]> =>
    (await readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')).split('\0').slice(0, -1)
  const [command, environment] = await Promise.all([read('cmdline'), read('environ')])
  const last = flags.length === 0 ? [] : command.slice(-flags.length)
  // In another container, the number is that of something else.
  const isIt = command.some((part) => part.endsWith('agent.js')) && last.join('\0') === flags.join('\0')
  if (!isIt || environment.length === 0) return otherwise
  return Object.fromEntries(
    environment.map((one): [string, string] => {
      const [name = ''] = one.split('=', 1)
      return [name, one.slice(name.length + 1)]
    }),
  )
}
