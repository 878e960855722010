import { expect, test } from 'vitest'
import { systemClock } from '../../lib/clock.ts'
import { runProgram } from '../../operator/program.ts'

const run = async (...args: readonly string[]) => {
  const written: string[] = []
  const nothing = (): void => undefined
  const code = await runProgram(args, {
    env: {},
    write: (text) => void written.push(text),
    print: (text) => void written.push(text),
    onSignal: nothing,
    onUncaught: nothing,
    clock: systemClock,
    version: '1',
    terminationLog: '/nowhere',
  })
  return { code, text: written.join('') }
}

test.each([
  ['--help', /^Usage: culvert-operator +run the operator/],
  ['--version', /^1\n$/],
  ['cleanup --help', /^Usage: culvert-operator cleanup .*Exit codes: 0/s],
])('%s explains it', async (args, text) => {
  expect(await run(...args.split(' '))).toEqual({ code: 0, text: expect.stringMatching(text) })
})

test.each([
  ['cleenup', 'did you mean cleanup'],
  ['cleanup --timeout=4', '--timeout takes a duration'],
  ['migrate', 'migrate needs --dry-run'],
  ['migrate --dry-rum', 'did you mean --dry-run'],
])('%s is wrong usage', async (args, text) => {
  expect(await run(...args.split(' '))).toEqual({ code: 2, text: expect.stringContaining(text) })
})

test('without settings, both commands say what is missing, and fail', async () => {
  for (const args of [[], ['cleanup']])
    expect(await run(...args)).toEqual({ code: 1, text: expect.stringContaining('there are no credentials') })
})
