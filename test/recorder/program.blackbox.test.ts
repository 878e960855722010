import { join } from 'node:path'
import { expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { run } from '../lab/run.ts'

const bundle = join(import.meta.dirname, '..', '..', 'dist', 'recorder.js')

test.each([
  [['--help'], 0, /^Usage: culvert-recorder /, /^$/],
  [['--version'], 0, new RegExp(`^${packageJson.version}$`), /^$/],
  [['--hlep'], 2, /^$/, /^culvert-recorder: there is no flag --hlep/],
  [['secret'], 2, /^$/, /^culvert-recorder: the first argument is not a flag/],
  [[], 1, /^$/, /TSRECORDER_DST, or --dir, must say where recordings are kept/],
  [['--dir=/dev/null/none'], 1, /^$/, /the directory \/dev\/null\/none cannot be made/],
  [['--dir=/proc/none/deep'], 1, /^$/, /the directory \/proc\/none\/deep cannot be made/],
])('with the arguments %j it ends with %i', async (args, exitCode, stdout, stderr) => {
  const ran = await run([process.execPath, bundle, ...args], { env: {}, check: false })
  expect(ran).toEqual({
    exitCode,
    stdout: expect.stringMatching(stdout) as unknown,
    stderr: expect.stringMatching(stderr) as unknown,
  })
})
