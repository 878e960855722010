import { defineConfig } from 'vitest/config'

const minutes = (count: number): number => count * 60_000

/**
 * unit: pure, no process and no kernel. real: kernel, daemon and control server, in namespaces of the tests' own.
 * long: soaks and chaos, run by `npm run test:long` alone.
 */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/**/*.{real,long}.test.ts'] } },
      {
        test: {
          name: 'real',
          include: ['test/**/*.real.test.ts'],
          testTimeout: minutes(2),
          hookTimeout: minutes(2),
          // Two cores carry two beds at once; more would make the waits of one test depend on another's load.
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/**/*.long.test.ts'],
          testTimeout: minutes(30),
          hookTimeout: minutes(2),
          maxWorkers: 1,
        },
      },
    ],
  },
})
