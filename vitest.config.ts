import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { patience } from './test/lab/patience.ts'

const minutes = (count: number): number => count * 60_000

/** Those that take longest, the longest last. */
const longest = ['ingress-group', 'pod', 'ingress-https', 'examples', 'egress-group'].map(
  (name) => `/${name}.real.test.ts`,
)
const rank = ({ moduleId }: TestSpecification): number => longest.findIndex((name) => moduleId.includes(name))

/** What takes longest begins first, so that all workers end together; Vitest's own order goes by size. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const bySize = await BaseSequencer.prototype.sort.call(this, files)
    return bySize.toSorted((one, other) => rank(other) - rank(one))
  }
}

/** How slow a machine may be decides nothing: these limits end what hangs. */
const patient = { testTimeout: minutes(15), hookTimeout: minutes(30), expect: { poll: { timeout: patience } } }

/** A look is a process more often than not. */
const looking = { poll: { ...patient.expect.poll, interval: 200 } }

/** Tests whose beds have nodes of a cluster. */
const inClusters = ['test/{e2e,examples}/**/*.real.test.ts', 'test/lab/{cluster,demo}/**/*.real.test.ts']

/** Tests of what is forwarded, which hold for whatever firewall does it. */
const ofForwarding = [
  'test/agent/modes/{group-egress,group-ingress,l3-egress,via-ingress}.real.test.ts',
  'test/agent/{accepted-routes,egress-change,egress-guard,families,ingress,stop}.real.test.ts',
]

/** Those, by the firewall that agents are then given. */
const byFirewall = (firewall: string) => ({
  test: {
    name: firewall,
    include: ofForwarding,
    ...patient,
    expect: looking,
    env: { CULVERT_TEST_FIREWALL: firewall },
    maxWorkers: 2,
    sequence: { groupOrder: 5 },
  },
})

/**
 * unit: pure, no process and no kernel. blackbox: the agent as a process, among scripted parts. real: kernel, daemon and
 * control server, in namespaces of the tests' own; cluster: those with Pods. long: soaks and chaos, and
 * iptables-nft and iptables-legacy, which forward by these: run by `npm run test:long` alone. Projects run one after the
 * other.
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
          // Here nothing is started that could take long.
          expect: { poll: { timeout: patience / 3 } },
          // They share nothing, so that no file needs a process of its own.
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
          // Its scenarios side by side: they wait for most of their time.
          maxConcurrency: 40,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'cluster',
          include: inClusters,
          ...patient,
          expect: looking,
          // Two cores carry two clusters at once; with more, a rollout would take ever longer.
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/**/*.real.test.ts'],
          exclude: inClusters,
          ...patient,
          expect: looking,
          // Beds without nodes of a cluster wait for more than half of their time.
          maxWorkers: 3,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/**/*.long.test.ts'],
          ...patient,
          testTimeout: minutes(90),
          maxWorkers: 1,
          sequence: { groupOrder: 4 },
        },
      },
      byFirewall('iptables-nft'),
      byFirewall('iptables-legacy'),
    ],
  },
})
