import { pathsOf, type BedRecord } from '../namespaces/record.ts'
import { Host } from '../hosts/host.ts'
import type { Programs } from '../ready.ts'
import { Addresses } from './addresses.ts'
import { Component, type Plan } from './component.ts'
import { controlPlane } from './control-plane.ts'
import { nodePlans } from './node.ts'
import { clusterPaths } from './paths.ts'

/** Memory is less scarce than processor time, of which the API server uses a fifth to collect garbage with Go’s default. */
const rarely = { GOGC: '400' }

/** Every daemon of a bed's cluster, by its name, running or not. */
export function componentsOf(record: BedRecord, programs: Programs<'cluster'>): ReadonlyMap<string, Component> {
  const directories = Object.values(programs)
  const nodes = record.hosts.filter(({ node }) => node !== undefined)
  const around = (plan: Plan) => {
    const node = nodes.find((host) => host.node === plan.node)
    const { logs } = pathsOf(record.name)
    if (node === undefined)
      return { bed: record.name, holder: record.holder!.pid, env: { HOME: '/tmp', ...rarely }, logs }
    return { bed: record.name, holder: node.holder.pid, env: new Host(node, directories, rarely).env(), logs }
  }
  const addresses = new Addresses(record.cluster)
  const plans = [
    ...controlPlane(clusterPaths(record.name), programs, nodes.length, addresses),
    ...nodes.flatMap(({ node }) => nodePlans(node!, programs, addresses)),
  ]
  return new Map(plans.map((plan) => [plan.name, new Component(plan, around(plan), record.others?.[plan.name])]))
}
