import { afterAll, beforeAll, expect, test } from 'vitest'
import { tailscaleVersion } from '../../wire/capability-version.ts'
import { buildImage } from '../lab/images/image.ts'
import { coldBuild, leftToNode, printsArguments, Unpacked } from './unpacked.ts'

const entrypoint = '/usr/local/lib/culvert/entrypoint'

let image: string
let files: Unpacked
beforeAll(async () => {
  image = (await buildImage()).digest
  files = await Unpacked.of(image)
  await files.replaceAgent(printsArguments)
}, coldBuild)
afterAll(() => files[Symbol.asyncDispose]())

test.each([
  [[]],
  [['--dest-ip=10.0.0.1', '--serve-config=/etc/a b.json']],
  [['run', '--dest-ip=10.0.0.1']],
  [['version']],
  [['--version']],
  [['help']],
  [['status', '--json']],
  [['check-image']],
  [['no-such-program']],
  [['']],
])('passes %j to the agent', async (args) => {
  expect(await files.run([entrypoint, ...args])).toEqual(leftToNode(...args))
})

test.each([
  ['the agent by its name', ['containerboot'], /^Node: \[\]/],
  ['the agent by its path, with flags', ['/usr/local/bin/containerboot', '--x=1'], /^Node: \["--x=1"\]/],
  ['one of its commands', ['culvert', 'version'], /^Node: \["version"\]/],
  ['tailscale', ['tailscale', 'version'], new RegExp(`^${tailscaleVersion}`)],
  ['tailscaled, with flags', ['tailscaled', '--version'], new RegExp(`^${tailscaleVersion}`)],
  ['a script', ['sh', '-c', 'echo "$$ $1"', 'sh', '--a  b'], /^1 --a {2}b$/],
  ['ash', ['ash', '-c', 'echo $$'], /^1$/],
  ['a program that is also a shell builtin', ['echo', '-n'], /^$/],
  ['a path', ['/bin/echo', 'there'], /^there$/],
  ['a relative path', ['./bin/echo', 'there'], /^there$/],
])('runs %s instead of the agent', async (_what, args, output) => {
  expect((await files.run([entrypoint, ...args])).stdout).toMatch(output)
})

test('names a path that does not exist', async () => {
  expect(await files.run([entrypoint, '/start.sh', '--flag'])).toMatchObject({
    stderr: expect.stringContaining('/start.sh: not found'),
    exitCode: 127,
  })
})
