import { basename, join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { cacheRoot } from './test/lab/paths.ts'
import { patience } from './test/lab/patience.ts'

// Tests start thousands of small programs, which Node compiles once: half of what they cost is that.
process.env['NODE_COMPILE_CACHE'] ??= join(cacheRoot(), 'compiled')

const minutes = (count: number): number => count * 60_000

/** About how many seconds the slowest test files take. */
const slowest: Readonly<Record<string, number>> = {
  'groups-ingress': 290,
  replicas: 290,
  l3: 235,
  examples: 230,
  'l7-ingress': 170,
  'groups-egress': 140,
  connector: 120,
  'group-ingress': 120,
  demo: 118,
  'engine-input': 105,
  pod: 105,
  engine: 95,
  install: 90,
  'egress-guard': 90,
  'two-clusters': 80,
  certificates: 73,
  'egress-change': 72,
  groups: 72,
  'l3-egress': 68,
  'group-egress': 66,
  'state-secret': 61,
  iptables: 53,
  'ingress-name': 52,
  packets: 51,
  'operator-image': 50,
  restart: 48,
  preshutdown: 48,
  ingress: 47,
  'groups-around': 45,
  'ingress-peculiar': 45,
  'real-api': 45,
  egress: 44,
  moves: 42,
  'bad-services': 40,
  apiserver: 37,
  cli: 36,
  'ingress-unprivileged': 36,
  many: 33,
  'played-agents': 33,
}
const secondsOf = ({ moduleId }: TestSpecification): number => slowest[basename(moduleId, '.real.test.ts')] ?? 20

/**
 * The slowest begin first, so that all workers end at the same time; Vitest itself orders by size. Those in clusters,
 * which need much processor time, are spread evenly among the others, which mostly wait.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const bySize = await BaseSequencer.prototype.sort.call(this, files)
    const sorted = bySize.toSorted((one, other) => secondsOf(other) - secondsOf(one))
    const isBusy = ({ project }: TestSpecification): boolean => project.name === 'cluster'
    return [sorted.filter(isBusy), sorted.filter((file) => !isBusy(file))]
      .flatMap(withBegin)
      .toSorted((one, other) => one.begin - other.begin)
      .map(({ file }) => file)
  }
}

/** When files begin that run one after the other, as a share of the time that they take together. */
function withBegin(files: readonly TestSpecification[]) {
  const total = files.reduce((sum, file) => sum + secondsOf(file), 0)
  let before = 0
  return files.map((file) => {
    const begin = before / total
    before += secondsOf(file)
    return { file, begin }
  })
}

/** These limits only end what hangs; a slow machine must not fail. */
const patient = { testTimeout: minutes(15), hookTimeout: minutes(30), expect: { poll: { timeout: patience } } }

/** A poll usually starts a process. */
const looking = { poll: { ...patient.expect.poll, interval: 200 } }

/** Tests whose beds have nodes of a cluster. */
const inClusters = ['test/{e2e,examples,operator/e2e}/**/*.real.test.ts', 'test/lab/{cluster,demo}/**/*.real.test.ts']

/** Tests in beds wait for more than half of their time: two cores have enough to do with four of them. */
const inBeds = { maxWorkers: 4, sequence: { groupOrder: 1 } }

/** Tests and soaks of forwarding, which must pass with every firewall. */
const ofForwarding = [
  'test/agent/{chaos,egress}.long.test.ts',
  'test/agent/modes/{group-egress,group-ingress,l3-egress,via-ingress}.real.test.ts',
  'test/netfilter/egress-packets.real.test.ts',
  'test/agent/{accepted-routes,egress-change,egress-guard,families,ingress,ingress-by-port,ingress-name,stop}.real.test.ts',
]

/** Tests of what the agent has tailscaled do, which must pass with every release. */
const ofTailscaled = [
  'test/agent/modes/{group-egress,group-ingress,l3-egress,via-ingress}.real.test.ts',
  'test/agent/{serve,serve-file,serve-restart}.real.test.ts',
  'test/operator/l7-ingress/handlers.real.test.ts',
  'test/lab/release.real.test.ts',
]

/** These tests once more, in other surroundings. */
const again = (name: string, include: readonly string[], env: Readonly<Record<string, string>>) => ({
  test: {
    name,
    include: [...include],
    ...patient,
    testTimeout: minutes(90),
    expect: looking,
    env: { ...env },
    maxWorkers: 2,
    sequence: { groupOrder: 3 },
  },
})

/**
 * unit: nothing outside the process. blackbox: the agent as a process, among scripted parts. real: real kernel,
 * tailscaled and control server, in namespaces; cluster: those with Pods. Only run by `npm run test:long`: long: soaks
 * and chaos; iptables-nft and iptables-legacy: tests of forwarding with these firewalls; tailscaled-1.80 and
 * tailscaled-1.104: tests with these releases. Projects of one group run at the same time.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.{blackbox,real,long}.test.ts'],
          ...patient,
          // Nothing that takes long is started here.
          expect: { poll: { timeout: patience / 3 } },
          // They share no state, so no file needs a process of its own.
          isolate: false,
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'blackbox',
          include: ['test/**/*.blackbox.test.ts'],
          ...patient,
          // Scenarios run concurrently, since they mostly wait.
          maxConcurrency: 40,
          maxWorkers: 3,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'cluster',
          include: inClusters,
          ...patient,
          expect: looking,
          ...inBeds,
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/**/*.real.test.ts'],
          exclude: inClusters,
          ...patient,
          expect: looking,
          ...inBeds,
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/**/*.long.test.ts'],
          ...patient,
          testTimeout: minutes(90),
          expect: looking,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
      again('iptables-nft', ofForwarding, { CULVERT_TEST_FIREWALL: 'iptables-nft' }),
      again('iptables-legacy', ofForwarding, { CULVERT_TEST_FIREWALL: 'iptables-legacy' }),
      again('tailscaled-1.80', ofTailscaled, { CULVERT_TEST_TAILSCALED: '1.80' }),
      again('tailscaled-1.104', ofTailscaled, { CULVERT_TEST_TAILSCALED: '1.104' }),
    ],
  },
})
