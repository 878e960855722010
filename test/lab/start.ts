import { dirname, join } from 'node:path'
import { CulvertError } from '../../lib/errors.ts'
import type { AcmeSpec } from './acme/start.ts'
import { Addresses, type Addressing, nodeName } from './cluster/addresses.ts'
import { addRoutes } from './cluster/routes.ts'
import { startCluster } from './cluster/start.ts'
import { addressOf, gateway, type NetworkName } from './namespaces/addresses.ts'
import { mountMemory, writeNameFiles, mountHostFiles } from './namespaces/files.ts'
import { startHolder } from './namespaces/holder.ts'
import { createNetworks, connectHosts } from './namespaces/network.ts'
import { bootId, identify, isAlive } from './namespaces/procs.ts'
import {
  checkBedName,
  claim,
  pathsOf,
  readRecord,
  updateRecord,
  type BedRecord,
  type HostRecord,
} from './namespaces/record.ts'
import { tearDown } from './namespaces/teardown.ts'
import { cacheRoot, projectRoot } from './paths.ts'
import type { Programs } from './ready.ts'
import { checkTopology, type HostSpec, type Topology } from './spec.ts'
import { startTailnet } from './tailnet.ts'

export type StartOptions = {
  readonly name: string
  readonly hosts: Topology
  readonly programs: Programs
  /** Ends the bed with this process, for whatever reason that ends. */
  readonly owned: boolean
  /** Runs a certificate authority, and lets every tailscaled get certificates from it. */
  readonly acme: AcmeSpec | undefined
  /** A bed whose tailnet it joins, instead of having its own. */
  readonly tailnet: string | undefined
  /** Starts a Kubernetes cluster too. */
  readonly cluster?: Addressing & {
    readonly nodes: number
    readonly programs: Programs<'cluster'>
    readonly syncFrequency?: string
  }
}

/**
 * Starts a bed and returns its record once control server and hosts are ready and logged in. Throws CulvertError,
 * `command` when a bed of that name is up; after a later failure everything is removed again.
 */
export async function start(options: StartOptions): Promise<BedRecord> {
  checkBedName(options.name)
  checkTopology(options.hosts, options.cluster?.nodes)
  const { name, tailnet } = options
  const own = { name, boot: bootId(), created: new Date().toISOString(), hosts: [], tailnet }
  // Until it is complete, every bed is owned by its starter: if that dies on the way, the next one removes the remains.
  await claimName({ ...own, owner: identify(process.pid) })
  try {
    return await raise(options)
  } catch (error) {
    await tearDown(options.name)
    throw error
  }
}

async function claimName(record: BedRecord): Promise<void> {
  if (await claim(record)) return
  const old = await readRecord(record.name)
  if (old?.holder !== undefined && isAlive(old.holder)) {
    throw new CulvertError('command', `bed ${record.name} is up already`, {
      remedy: `Take it down (npm run lab -- down --name ${record.name}) or choose another --name`,
    })
  }
  await tearDown(record.name)
  if (await claim(record)) return
  throw new CulvertError('command', `bed ${record.name} is being made by another process`, {
    remedy: 'Choose another --name',
  })
}

async function raise({ name, hosts, programs, owned, acme, cluster }: StartOptions): Promise<BedRecord> {
  const paths = pathsOf(name)
  const log = join(paths.logs, 'namespaces.log')
  const holder = await startHolder({ bed: name, tied: owned, log })
  const bed = holder.pid
  await updateRecord(name, (record) => ({ ...record, holder }))

  // A host's mount namespace is a copy of the bed's: the memory for the hosts' files must be mounted before.
  await mountMemory(bed, paths.files)
  const [, held] = await Promise.all([createNetworks(bed), startHosts(name, place(hosts, cluster), bed, log)])
  const recorded = cluster && {
    nodes: cluster.nodes,
    ipv4: cluster.ipv4,
    ipv6: cluster.ipv6,
    isSecond: cluster.isSecond,
  }
  const made = await updateRecord(name, (record) => ({ ...record, hosts: held, cluster: recorded }))
  const connected = connect(bed, held, recorded)
  const filesMounted = Promise.all(held.map((host) => mountFiles(bed, paths, host)))
  const [ready] = await Promise.all([
    startTailnet(made, { programs, acme, connected, filesMounted }),
    cluster && startCluster(made, cluster, Promise.all([connected, filesMounted])),
  ])
  return await updateRecord(name, ({ owner, ...record }) => ({
    ...record,
    ...(owned && owner !== undefined ? { owner } : {}),
    hosts: ready,
  }))
}

async function connect(bed: number, hosts: readonly HostRecord[], cluster: BedRecord['cluster']): Promise<void> {
  const links = hosts.map(({ name, holder, spec, address }) => ({
    host: name,
    pid: holder.pid,
    network: spec.network,
    address,
    mtu: spec.mtu ?? 1500,
  }))
  await connectHosts(bed, links)
  if (cluster !== undefined) await addRoutes(bed, hosts, cluster.nodes, new Addresses(cluster))
}

/** Gives a host its files. What it needs of the machine stays at its path. */
async function mountFiles(bed: number, paths: ReturnType<typeof pathsOf>, host: HostRecord): Promise<void> {
  const keep = [projectRoot, cacheRoot(), dirname(process.execPath)]
  const { pid } = host.holder
  const fstab = join(paths.top, `${host.name}.fstab`)
  const node = host.node !== undefined
  await mountHostFiles({ bed, directory: paths.files, host: host.name, pid, keep, fstab, node })
  await writeNameFiles(pid, host.name, host.address, gateway('wan').v4)
}

type Placed = Omit<HostRecord, 'holder'>

/** The addresses of each host, and of each node of the cluster. */
function place(hosts: Topology, cluster: BedRecord['cluster']): Placed[] {
  const counts: Record<NetworkName, number> = { wan: 0, cluster: 0 }
  const placed = Object.entries(hosts).map(([name, spec]: [string, HostSpec]) => {
    const address = addressOf(spec.network, counts[spec.network], { v4: spec.ipv4 !== false, v6: spec.ipv6 !== false })
    counts[spec.network] += 1
    return { name, spec, address }
  })
  const addresses = new Addresses(cluster)
  const more = Array.from({ length: cluster?.nodes ?? 0 }, (_, index): Placed => {
    const node = index + 1
    return { name: nodeName(node), spec: { network: 'cluster' }, address: addresses.node(node), node }
  })
  return [...placed, ...more]
}

/** Starts the hosts' namespaces inside the bed's, all at once. */
async function startHosts(bed: string, placed: readonly Placed[], inside: number, log: string): Promise<HostRecord[]> {
  return await Promise.all(placed.map(async (host) => ({ ...host, holder: await startHolder({ bed, inside, log }) })))
}
