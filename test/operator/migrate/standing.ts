import type { Bed } from '../../lab/bed.ts'

/** How all objects of some groups and Services stand, to look into a failure: a line for each. */
export async function standingOf({ cluster }: Bed, names: readonly string[]): Promise<string> {
  const all = await cluster.list('pods,endpointslices,configmaps,services,proxygroups,statefulsets')
  const mentions = (text: string): boolean => names.some((name) => text.includes(`:"${name}`))
  return all
    .map((one) => JSON.stringify(one))
    .filter(mentions)
    .join('\n')
}
