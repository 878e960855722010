import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Bed } from '../bed.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { isUnready, type Pod } from '../cluster/pods.ts'
import { isAlive, type Proc } from '../namespaces/procs.ts'
import { pathsOf } from '../namespaces/record.ts'
import { tail } from '../run.ts'

/** A table of text: columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** The parts of a bed, and the state of its tailnet. */
export async function describeBed(bed: Bed): Promise<string> {
  const nodes = await bed.control.nodes().catch(() => [])
  const rows = bed.record.hosts.map(({ name, spec, address, tailscaled }) => [
    name,
    spec.network,
    [address.v4, address.v6].filter((one) => one !== undefined).join(' '),
    tailscaled === undefined ? '-' : state(tailscaled),
  ])
  const members = nodes.map((node) => [
    node.name,
    node.addresses.join(' '),
    node.online ? 'online' : 'offline',
    node.tags.join(' '),
  ])
  return [
    table([['HOST', 'NETWORK', 'ADDRESSES', 'TAILSCALED'], ...rows]),
    '',
    members.length === 0
      ? 'The tailnet has no nodes.'
      : table([['NODE', 'TAILNET ADDRESSES', 'STATE', 'TAGS'], ...members]),
    ...(bed.record.cluster === undefined ? [] : ['', await describeCluster(bed.cluster)]),
  ].join('\n')
}

type NodeObject = {
  readonly metadata: { readonly name: string }
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] }
}

async function describeCluster(cluster: Cluster): Promise<string> {
  const where = `Kubernetes at ${cluster.url.v4} and ${cluster.url.v6}`
  try {
    const options = { timeout: 20_000 }
    const [nodes, pods] = await Promise.all([
      cluster.list<NodeObject>('nodes', undefined, options),
      cluster.list<Pod>('pods', undefined, options),
    ])
    const ready = ({ status }: NodeObject): boolean =>
      status.conditions.some((one) => one.type === 'Ready' && one.status === 'True')
    const states = nodes.map((node) => `${node.metadata.name} ${ready(node) ? 'ready' : 'not ready'}`)
    const unready = pods.filter(isUnready).length
    return `${where}: ${states.join(', ') || 'no nodes'}; ${pods.length} Pods, ${unready} of them not ready`
  } catch {
    return `${where} does not answer.`
  }
}

function state(process: Proc): string {
  return isAlive(process) ? `runs (${process.pid})` : 'has ended'
}

/** The last lines of each log of a bed, or of those whose name begins with `only`. */
export async function lastLines(bed: string, lines: number, only = ''): Promise<string> {
  const { logs } = pathsOf(bed)
  const files = (await readdir(logs).catch(() => []))
    .filter((file) => file.endsWith('.log') && file.startsWith(only))
    .toSorted()
  const parts = await Promise.all(
    files.map(async (file) => {
      const text = (await readFile(join(logs, file), 'utf8')).trim()
      return text === '' ? '' : `--- ${file}\n${tail(text, lines)}\n`
    }),
  )
  return parts.join('')
}
