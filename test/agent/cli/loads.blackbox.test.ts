import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../lab/run.ts'
import { bundle } from '../proxy.ts'

const recorder = join(import.meta.dirname, 'programs/record-loads.cjs')

/** Which of Node's own modules the bundle loads when it runs a command; without one it is the agent. */
async function loads(...command: string[]): Promise<string[]> {
  const env = { PATH: '/nowhere', CULVERT_SOCKET: '/nowhere.sock' }
  const argv = [process.execPath, '--require', recorder, bundle, ...command]
  const { stderr } = await run(argv, { env, check: false })
  return JSON.parse(/^loaded (.*)$/m.exec(stderr)?.[1] ?? '[]') as string[]
}

// What evaluates a part of the agent loads what that imports, so this is also how little of it is evaluated.
test.each([
  ['version', []],
  ['help', []],
  ['completion bash', []],
  ['live', ['node:http']],
  ['ready', ['node:http']],
  ['status', ['node:http']],
])('%s loads what it needs and no more', async (command, modules) => {
  expect(await loads(...command.split(' '))).toEqual(modules)
})

test('check-image loads what runs a program, and nothing that asks anybody', async () => {
  const modules = await loads('check-image')
  expect(modules).toContain('node:child_process')
  expect(modules).not.toEqual(expect.arrayContaining([expect.stringMatching(/^node:(?:http|net|tls)/)]))
})

test('the agent loads more', async () => {
  expect(await loads()).toEqual(expect.arrayContaining(['node:http', 'node:child_process', 'node:net']))
})
