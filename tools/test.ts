import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { execa } from 'execa'
import { buildAgent, buildApiServer, buildRecorder } from './build.ts'
import { runSteps, staticSteps } from './programs.ts'

const help = `Usage: npm test [-- FILTER…]          all tests: static checks, unit, blackbox, cluster, real
       npm run test:long [-- FILTER…] soaks and chaos, forwarding by iptables, and other releases of tailscaled

Installs and builds what is missing first. FILTER limits the test files to those whose path contains it.
The last line is "N passed, N failed".
`

/** Runs the test projects; the static checks count as one test each, so that the last line covers everything. */
async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    console.log(help)
    return 0
  }
  const long = args.includes('--long')
  const filters = args.filter((arg) => arg !== '--long')
  const checks = long || filters.length > 0 ? [] : staticSteps
  const failedChecks = await runSteps(checks)

  await buildAgent()
  await buildApiServer()
  await buildRecorder()
  const lab = await execa(process.execPath, ['test/lab/main.ts', 'build', ...(long ? ['--releases'] : [])], {
    cwd: root,
    stdio: 'inherit',
    reject: false,
  })
  if (lab.failed) return closing(checks.length - failedChecks.length, failedChecks.length + 1)

  const folder = await mkdtemp(join(tmpdir(), 'culvert-test-'))
  const report = join(folder, 'report.json')
  const projects = long
    ? ['long', 'iptables-nft', 'iptables-legacy', 'tailscaled-1.80', 'tailscaled-1.104']
    : ['unit', 'blackbox', 'cluster', 'real']
  try {
    const vitest = await execa(
      'vitest',
      [
        'run',
        ...projects.flatMap((name) => ['--project', name]),
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${report}`,
        ...filters,
      ],
      // Images are built once.
      { cwd: root, preferLocal: true, stdio: 'inherit', reject: false, env: { CULVERT_TEST_IMAGES: folder } },
    )
    const { passed, failed } = await counts(report)
    // An error outside any test, or no test at all, must not count as success.
    const crashed = vitest.failed && failed === 0 ? 1 : 0
    return closing(passed + checks.length - failedChecks.length, failed + crashed + failedChecks.length)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const root = dirname(import.meta.dirname)

async function counts(report: string): Promise<{ passed: number; failed: number }> {
  try {
    const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(
      await readFile(report, 'utf8'),
    ) as Record<string, number>
    const failed = numFailedTests ?? 0
    return { passed: numPassedTests ?? 0, failed: failed > 0 ? failed : Math.sign(numFailedTestSuites ?? 0) }
  } catch {
    return { passed: 0, failed: 1 }
  }
}

function closing(passed: number, failed: number): number {
  console.log(`${passed} passed, ${failed} failed`)
  return failed > 0 || passed === 0 ? 1 : 0
}

process.exitCode = await main(process.argv.slice(2))
