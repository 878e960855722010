import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { run } from '../../lab/run.ts'
import { bundle } from '../proxy.ts'

const recorder = join(import.meta.dirname, 'programs/record-loads.cjs')

/** Node's own modules that the bundle loads when it runs a command, or the agent without one. */
async function loads(...command: string[]): Promise<string[]> {
  const env = { PATH: '/nowhere', CULVERT_SOCKET: '/nowhere.sock' }
  const argv = [process.execPath, '--require', recorder, bundle, ...command]
  const { stderr } = await run(argv, { env, check: false })
  return JSON.parse(/^loaded (.*)$/m.exec(stderr)?.[1] ?? '[]') as string[]
}

// Evaluating a part of the agent loads its imports, so this also shows how little of the agent is evaluated.
test.each([
  ['version', []],
  ['help', []],
  ['completion bash', []],
  ['live', ['node:http']],
  ['ready', ['node:http']],
  ['status', ['node:http']],
])('%s loads only what it needs', async (command, modules) => {
  expect(await loads(...command.split(' '))).toEqual(modules)
})

test('check-image loads what runs a program, and no HTTP client', async () => {
  const modules = await loads('check-image')
  expect(modules).toContain('node:child_process')
  expect(modules).not.toEqual(expect.arrayContaining([expect.stringMatching(/^node:(?:http|net|tls)/)]))
})

test('kubeconfig reads YAML, which nothing else does, and loads no HTTP client', async () => {
  const yaml = 'process'
  const modules = await loads('kubeconfig', 'kube.tail1234.ts.net')
  expect(modules).toContain(yaml)
  expect(modules).not.toEqual(expect.arrayContaining([expect.stringMatching(/^node:(?:http|net|tls)/)]))
  expect(await loads()).not.toContain(yaml)
})

test('a command whose reader has gone away ends as if it had been read', async () => {
  const child = spawn(process.execPath, [bundle, 'help'], { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.destroy()
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
  expect([said, code]).toEqual(['', 0])
})

test('the agent loads more', async () => {
  expect(await loads()).toEqual(expect.arrayContaining(['node:http', 'node:child_process', 'node:net']))
})
