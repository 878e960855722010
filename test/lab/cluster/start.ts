import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cgroupOf, makeCgroups } from '../namespaces/cgroups.ts'
import type { BedRecord, HostRecord } from '../namespaces/record.ts'
import { Host } from '../hosts/host.ts'
import type { Programs } from '../ready.ts'
import { Addresses, apiUrl } from './addresses.ts'
import { auditPolicy } from './audit.ts'
import { makeCertificates } from './certificates.ts'
import { Cluster } from './cluster.ts'
import { corefile } from './control-plane.ts'
import { nodeSettings } from './node.ts'
import { clusterPaths, nodeFiles } from './paths.ts'
import { kubeconfig, tokenFile, usersOf } from './users.ts'

/**
 * Starts the cluster of a bed whose networks and hosts exist, and returns once its nodes accept Pods. `filesMounted`
 * resolves when the hosts have their files.
 */
export async function startCluster(
  record: BedRecord,
  { programs, syncFrequency }: { programs: Programs<'cluster'>; syncFrequency?: string },
  filesMounted: Promise<unknown>,
): Promise<void> {
  const cluster = new Cluster(record, programs)
  const nodes = record.hosts.filter(({ node }) => node !== undefined)
  const addresses = new Addresses(record.cluster)
  const written = writeFiles(record.name, nodes.length, addresses)
  const launch = (...names: string[]) => Promise.all(names.map((name) => cluster.component(name).launch()))
  const start = (...names: string[]) => Promise.all(names.map((name) => cluster.component(name).start()))

  const api = written.then(() => start('etcd')).then(() => start('kube-apiserver'))
  const engines = Promise.all([written, filesMounted]).then(() =>
    Promise.all(nodes.map((node) => prepareNode(record.name, node, cluster, { programs, syncFrequency, addresses }))),
  )
  await Promise.all([api, engines])
  if (nodes.length === 0) return
  await launch('kube-controller-manager', 'kube-scheduler', 'coredns')
  await launch(...nodes.flatMap(({ name }) => [`${name}.kubelet`, `${name}.kube-proxy`]))
  await cluster.ready()
}

/** The files of the control plane. */
async function writeFiles(bed: string, nodes: number, addresses: Addresses): Promise<void> {
  const paths = clusterPaths(bed)
  await mkdir(paths.directory, { mode: 0o700 })
  await makeCertificates(paths.file, addresses)
  const ca = await readFile(paths.file('ca.crt'), 'utf8')
  const [url = ''] = addresses.only(apiUrl)
  const users = usersOf(nodes).map((user) => ({ ...user, token: randomBytes(24).toString('hex') }))
  await Promise.all([
    writeFile(paths.file('tokens.csv'), tokenFile(users), { mode: 0o600 }),
    writeFile(paths.file('Corefile'), corefile(paths)),
    writeFile(paths.file('audit-policy.json'), auditPolicy),
    ...users.map(({ file, name, token }) =>
      writeFile(paths.kubeconfig(file), kubeconfig(url, ca, name, token), { mode: 0o600 }),
    ),
  ])
}

/** Gives a node its files and images, and starts its container engine. */
async function prepareNode(
  bed: string,
  record: HostRecord,
  cluster: Cluster,
  { programs, ...settings }: { programs: Programs<'cluster'>; syncFrequency: string | undefined; addresses: Addresses },
): Promise<void> {
  const { name } = record
  const paths = clusterPaths(bed)
  const node = new Host(record, [], {})
  const user = (daemon: string) => readFile(paths.kubeconfig(`${name}.${daemon}`), 'utf8')
  const files = {
    ...nodeSettings(record.node!, {
      groups: cgroupOf(bed, name),
      plugins: programs['network-plugins'],
      ...settings,
    }),
    [nodeFiles.ca]: await readFile(paths.file('ca.crt'), 'utf8'),
    [nodeFiles.kubeletUser]: await user('kubelet'),
    [nodeFiles.proxyUser]: await user('kube-proxy'),
  }
  await makeCgroups(bed, name)
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(node.path(path)), { recursive: true })
    await writeFile(node.path(path), text, { mode: 0o600 })
  }
  await cluster.component(`${name}.containerd`).start()
  for (const image of ['pause.tar', 'tools.tar']) await cluster.importImage(join(programs.images, image), [name])
}
