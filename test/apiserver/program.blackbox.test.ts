import { join } from 'node:path'
import { expect, test } from 'vitest'
import packageJson from '../../package.json' with { type: 'json' }
import { run } from '../lab/run.ts'

const bundle = join(import.meta.dirname, '..', '..', 'dist', 'apiserver.js')

test.each([
  [['--help'], 0, /^Usage: culvert-apiserver /, /^$/],
  [['--version'], 0, new RegExp(`^${packageJson.version}$`), /^$/],
  [['--hlep'], 2, /^$/, /^culvert-apiserver: there is no flag --hlep: did you mean --help\?$/],
  [['secret'], 2, /^$/, /^culvert-apiserver: the first argument is not a flag/],
  [[], 1, /^$/, /one of APISERVER_PROXY and TS_K8S_PROXY_CONFIG must say/],
])('with the arguments %j it ends with %i', async (args, exitCode, stdout, stderr) => {
  const ran = await run([process.execPath, bundle, ...args], { env: {}, check: false })
  expect(ran).toEqual({
    exitCode,
    stdout: expect.stringMatching(stdout) as unknown,
    stderr: expect.stringMatching(stderr) as unknown,
  })
})
