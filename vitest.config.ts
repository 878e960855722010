import { defineConfig } from 'vitest/config'

const minutes = (count: number): number => count * 60_000

/**
 * unit: pure, no process and no kernel. blackbox: the agent as a process, among scripted parts. real: kernel, daemon and
 * control server, in namespaces of the tests' own. long: soaks and chaos, run by `npm run test:long` alone. Projects
 * run one after the other.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.{blackbox,real,long}.test.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'blackbox',
          include: ['test/**/*.blackbox.test.ts'],
          testTimeout: minutes(1),
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
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
