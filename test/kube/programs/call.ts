// Runs in a host with a service account: node call.ts HOST PORT CALLS (JSON, a list of Call)
// Makes the calls one after the other, and prints the result of each (JSON, a list of Outcome).
import { kubeClient, type Secret } from '../../../kube/client.ts'
import { KubeError } from '../../../kube/error.ts'
import { describe } from '../../../lib/errors.ts'

export type Call =
  | { readonly get: string }
  | { readonly patch: string; readonly change: Readonly<Record<string, string | null>> }
  /** Patches the key `filling` to a text of this many bytes, more than a command-line argument can have. */
  | { readonly fill: string; readonly bytes: number }
  | { readonly create: string; readonly data: Readonly<Record<string, string>> }
  | { readonly review: string; readonly verb: 'get' | 'update' | 'patch' | 'create' | 'list' | 'watch' }
  | { readonly watch: string; readonly from: string }

/** A Secret's texts by key, the result of a review, null for none; or why the call failed. */
export type Outcome =
  | { readonly gave: Readonly<Record<string, string>> | boolean | null }
  | { readonly failed: string; readonly status?: number; readonly reason?: string; readonly retryable?: boolean }

const [host = '', port = '', calls = '[]'] = process.argv.slice(2)
const client = kubeClient({ root: '', host, port, addressFromEnv: true })
const signal = new AbortController().signal

const texts = (secret: Secret | undefined) =>
  secret === undefined
    ? null
    : Object.fromEntries([...secret.data].map(([key, value]) => [key, value.toString()] as const))

async function make(call: Call): Promise<Readonly<Record<string, string>> | boolean | null> {
  if ('get' in call) return texts(await client.getSecret(call.get, signal))
  if ('patch' in call) {
    return texts(await client.patchSecret(call.patch, new Map(Object.entries(call.change)), signal))
  }
  if ('fill' in call) {
    await client.patchSecret(call.fill, new Map([['filling', 'hunter2-'.repeat(call.bytes / 8)]]), signal)
    return null
  }
  if ('create' in call) {
    return texts(await client.createSecret(call.create, new Map(Object.entries(call.data)), signal))
  }
  if ('review' in call) return await client.review(call.verb, call.review, signal)
  await Array.fromAsync(client.watchSecret(call.watch, call.from, 1000, signal))
  return null
}

const outcomes: Outcome[] = []
for (const call of JSON.parse(calls) as Call[]) {
  try {
    outcomes.push({ gave: await make(call) })
  } catch (error) {
    const { status, reason, retryable } = error instanceof KubeError ? error : {}
    outcomes.push({
      failed: describe(error),
      ...(status !== undefined && { status }),
      ...(reason !== undefined && { reason }),
      ...(retryable !== undefined && { retryable }),
    })
  }
}
console.log(JSON.stringify(outcomes))
