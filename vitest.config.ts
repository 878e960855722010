import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const minutes = (count: number): number => count * 60_000

/** What takes longest begins first, so that all workers end together; Vitest's own order goes by size. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => (moduleId.endsWith('egress-group.real.test.ts') ? 0 : 1)
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other))
  }
}

/** What is waited for comes in time on a busy machine, too. */
const patient = { poll: { timeout: 10_000 } }

/**
 * unit: pure, no process and no kernel. blackbox: the agent as a process, among scripted parts. real: kernel, daemon and
 * control server, in namespaces of the tests' own. long: soaks and chaos, run by `npm run test:long` alone. Projects
 * run one after the other.
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
          testTimeout: minutes(1),
          expect: patient,
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
          testTimeout: minutes(1),
          expect: patient,
          // Its scenarios side by side: they wait for most of their time.
          maxConcurrency: 40,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/**/*.real.test.ts'],
          testTimeout: minutes(2),
          hookTimeout: minutes(2),
          // A look is a process more often than not.
          expect: { poll: { ...patient.poll, interval: 100 } },
          // Two cores carry two beds at once; more would make the waits of one test depend on another's load.
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/**/*.long.test.ts'],
          testTimeout: minutes(30),
          hookTimeout: minutes(2),
          expect: patient,
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
