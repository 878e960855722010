import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { patience } from './test/lab/patience.ts'

const minutes = (count: number): number => count * 60_000

/** The slowest test files, the slowest last. */
const longest = ['ingress-group', 'pod', 'l7-ingress', 'l3', 'ingress-https', 'egress-group', 'examples'].map(
  (name) => `/${name}.real.test.ts`,
)
const rank = ({ moduleId }: TestSpecification): number => longest.findIndex((name) => moduleId.includes(name))

/** The slowest begin first, so that all workers end at the same time; Vitest itself orders by size. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const bySize = await BaseSequencer.prototype.sort.call(this, files)
    return bySize.toSorted((one, other) => rank(other) - rank(one))
  }
}

/** These limits only end what hangs; a slow machine must not fail. */
const patient = { testTimeout: minutes(15), hookTimeout: minutes(30), expect: { poll: { timeout: patience } } }

/** A poll usually starts a process. */
const looking = { poll: { ...patient.expect.poll, interval: 200 } }

/** Tests whose beds have nodes of a cluster. */
const inClusters = ['test/{e2e,examples,operator/e2e}/**/*.real.test.ts', 'test/lab/{cluster,demo}/**/*.real.test.ts']

/** Tests of forwarding, which must pass with every firewall. */
const ofForwarding = [
  'test/agent/modes/{group-egress,group-ingress,l3-egress,via-ingress}.real.test.ts',
  'test/agent/{accepted-routes,egress-change,egress-guard,families,ingress,ingress-by-port,ingress-name,stop}.real.test.ts',
]

/** Tests of what the agent has tailscaled do, which must pass with every release. */
const ofTailscaled = [
  'test/agent/modes/{group-egress,group-ingress,l3-egress,via-ingress}.real.test.ts',
  'test/agent/{serve,serve-file,serve-restart}.real.test.ts',
  'test/lab/release.real.test.ts',
]

/** These tests once more, in other surroundings. */
const again = (name: string, include: readonly string[], env: Readonly<Record<string, string>>) => ({
  test: {
    name,
    include: [...include],
    ...patient,
    expect: looking,
    env: { ...env },
    maxWorkers: 2,
    sequence: { groupOrder: 5 },
  },
})

/**
 * unit: nothing outside the process. blackbox: the agent as a process, among scripted parts. real: real kernel,
 * tailscaled and control server, in namespaces; cluster: those with Pods. Only run by `npm run test:long`: long: soaks
 * and chaos; iptables-nft and iptables-legacy: tests of forwarding with these firewalls; tailscaled-1.80 and
 * tailscaled-1.104: tests with these releases. Projects run one after the other.
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
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'cluster',
          include: inClusters,
          ...patient,
          expect: looking,
          // Two cores can run two clusters at once; with more, rollouts become ever slower.
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
          // Beds without cluster nodes spend more than half of their time waiting.
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
      again('iptables-nft', ofForwarding, { CULVERT_TEST_FIREWALL: 'iptables-nft' }),
      again('iptables-legacy', ofForwarding, { CULVERT_TEST_FIREWALL: 'iptables-legacy' }),
      again('tailscaled-1.80', ofTailscaled, { CULVERT_TEST_TAILSCALED: '1.80' }),
      again('tailscaled-1.104', ofTailscaled, { CULVERT_TEST_TAILSCALED: '1.104' }),
    ],
  },
})
