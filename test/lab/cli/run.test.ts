import { afterEach, expect, test, vi } from 'vitest'
import { CulvertError } from '../../../lib/errors.ts'
import { run } from './run.ts'
import { UsageError } from './verb.ts'

afterEach(() => vi.restoreAllMocks())

test.each([
  [[], 'a command is missing'],
  [['up', '--bogus'], "Unknown option '--bogus'"],
  [['up', '--nodes', '2'], 'with --cluster only'],
  [['up', '--cluster', '--nodes', '6'], 'cannot have 6 nodes'],
  [['kubectl', 'get', 'pods'], 'follows `--`'],
  [['exec', 'client'], 'the command to run follows'],
  [['up', '--hosts', 'client'], 'does not say where it is'],
  [['down', '--name', '../etc'], 'cannot name a bed'],
] as const)('%j is wrong usage, which is told', async (args, message) => {
  const error: unknown = await run(args).catch((caught: unknown) => caught)
  expect(error instanceof UsageError || (error instanceof CulvertError && error.code === 'settings')).toBe(true)
  expect(String(error)).toContain(message)
})

test('every command has help', async () => {
  const printed: string[] = []
  vi.spyOn(console, 'log').mockImplementation((text: string) => void printed.push(text))
  const help = async (...args: readonly string[]) => [await run(args), printed.pop()] as const
  const [, all] = await help('--help')
  for (const verb of ['build', 'up', 'down', 'status', 'exec', 'kubectl', 'logs', 'events', 'image', 'env']) {
    expect(all).toMatch(new RegExp(`^ +${verb} `, 'm'))
    expect(await help(verb, '--help')).toEqual([0, expect.stringContaining(`lab -- ${verb}`)])
  }
})
