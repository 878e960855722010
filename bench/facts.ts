import { cpus, machine, release, totalmem } from 'node:os'
import type { BenchBed } from './bench-bed.ts'

/** What the figures depend on: pairs of a name and a value. */
export async function gatherFacts(bed: BenchBed, commit: string | undefined): Promise<[string, string][]> {
  const client = bed.host('client')
  const firstLine = async (...argv: string[]): Promise<string> => (await client.exec(argv)).stdout.split('\n')[0] ?? ''
  const processors = cpus()
  return [
    ...(commit === undefined ? [] : [['commit', commit] satisfies [string, string]]),
    ['processor', `${processors.length} × ${processors[0]?.model ?? 'unknown'}`],
    ['memory', `${Math.round(totalmem() / 2 ** 30)} GiB`],
    // Without the builder's suffix.
    ['kernel', `Linux ${release().replace(/-.*/, '')}, ${machine()}`],
    ['Node', process.versions.node],
    ['tailscaled and containerboot', await firstLine('tailscale', 'version')],
    ['nft', (await firstLine('nft', '--version')).replace(/^nftables v?/, '').replace(/ .*/, '')],
    ['iperf3', (await firstLine('iperf3', '--version')).replace(/^iperf /, '').replace(/ .*/, '')],
  ]
}

/** The same for the cluster. */
export async function clusterFacts({ cluster }: BenchBed): Promise<[string, string][]> {
  type Node = { status: { nodeInfo: { kubeletVersion: string; containerRuntimeVersion: string } } }
  const node = await cluster.get<Node>('node', cluster.node().name)
  const { kubeletVersion = '', containerRuntimeVersion = '' } = node?.status.nodeInfo ?? {}
  return [
    ['Kubernetes', kubeletVersion.replace('v', '')],
    ['container engine', containerRuntimeVersion.replace('://', ' ')],
  ]
}
