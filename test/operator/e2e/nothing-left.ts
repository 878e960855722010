import { expect } from 'vitest'
import type { Bed } from '../../lab/bed.ts'
import { namespace } from '../operator-process.ts'

/** What the operator has made in the cluster, as `kind/name`. */
export async function made({ cluster }: Bed): Promise<readonly string[]> {
  const kinds = 'services,secrets,serviceaccounts,roles,rolebindings,statefulsets,pods'
  const selector = '--selector=tailscale.com/managed=true'
  const { stdout } = await cluster.kubectl(['get', kinds, `--namespace=${namespace}`, selector, '--output=name'])
  return stdout.split('\n').filter((line) => line !== '')
}

/** The names of the operator's nodes in the tailnet. */
export const nodesOf = async ({ control }: Bed): Promise<readonly string[]> =>
  (await control.nodes()).map(({ name }) => name).filter((name) => name !== 'client')

/** Waits until nothing is left in the cluster and in the tailnet. */
export async function nothingLeft(bed: Bed): Promise<void> {
  await expect.poll(() => made(bed)).toEqual([])
  expect(await nodesOf(bed)).toEqual([])
  expect((await bed.control.keys()).filter(({ description, uses }) => description !== '' && uses === 0)).toEqual([])
}
