import { expect, onTestFailed } from 'vitest'
import type { Bed } from '../../lab/bed.ts'
import type { KubeObject } from '../../lab/cluster/cluster.ts'
import { namespace, type OperatorProcess } from '../operator-process.ts'

/** The kinds of which the operator makes objects for what stands alone. */
export const kindsMade = 'services,secrets,serviceaccounts,roles,rolebindings,statefulsets,pods,networkpolicies'

/** What the operator has made in the cluster, as `kind/name`. */
export async function made({ cluster }: Bed, kinds = kindsMade): Promise<readonly string[]> {
  const objects = await cluster.list(kinds, namespace, { selector: 'tailscale.com/managed=true' })
  return objects.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`)
}

/** The names of the operator's nodes in the tailnet, sorted. */
export async function nodesOf({ control, record }: Bed): Promise<readonly string[]> {
  const hosts = new Set(record.hosts.map(({ name }) => name))
  return (await control.nodes())
    .map(({ name }) => name)
    .filter((name) => !hosts.has(name))
    .toSorted()
}

/** The auth keys that the operator made: those with a description. */
export const keysOf = async ({ control }: Bed) => (await control.keys()).filter(({ description }) => description !== '')

/** Waits until nothing is left in the cluster and in the tailnet. */
export async function nothingLeft(bed: Bed): Promise<void> {
  await expect.poll(() => made(bed)).toEqual([])
  expect(await nodesOf(bed)).toEqual([])
  expect((await keysOf(bed)).filter(({ uses }) => uses === 0)).toEqual([])
}

type Going = KubeObject & { readonly status?: { readonly conditions?: unknown } }

/** If the test fails, prints the logs of the operator and of its proxies, and what is being deleted. */
export function printProxiesOnFailure({ cluster }: Bed, operator: OperatorProcess): void {
  onTestFailed(async () => {
    console.error(operator.logged.join('\n'))
    for (const { kind, metadata, status } of await cluster.list<Going>(`${kindsMade},configmaps,proxygroups`)) {
      const { name, deletionTimestamp, finalizers } = metadata
      if (deletionTimestamp !== undefined)
        console.error(`${kind} ${name} is being deleted:`, deletionTimestamp, finalizers, status?.conditions)
    }
    for (const { metadata } of await cluster.list('pods', namespace))
      console.error(await cluster.podLogs(metadata.name ?? '', { namespace }).catch(String))
  })
}
