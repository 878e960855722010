import { createInterface } from 'node:readline'
import { expect, it } from 'vitest'
import { spawner } from '../../../agent/tailscaled/spawn.ts'

const spawn = spawner({ PATH: process.env['PATH'], INHERITED: 'yes' })

it('gives children the whole environment, and their output', async () => {
  const child = spawn('sh', ['-c', 'echo "$INHERITED $MORE"; exit 4'], { output: 'pipe', env: { MORE: 'too' } })
  const [stdout] = child.output
  if (stdout === undefined) throw new Error('no output')
  expect(await Array.fromAsync(createInterface({ input: stdout }))).toEqual(['yes too'])
  expect(await child.exited).toEqual({ code: 4, description: 'sh ended with exit code 4' })
})

it('says that a program is absent', async () => {
  const child = spawn('no-such-program', [], { output: 'inherit' })
  expect(child.pid).toBeUndefined()
  expect(await child.exited).toEqual({
    code: undefined,
    description: 'no-such-program is not installed, or not in PATH',
  })
})

it.each(['before', 'after'])('ends a child whose signal aborts %s it has started', async (when) => {
  const stop = new AbortController()
  if (when === 'before') stop.abort()
  const child = spawn('sleep', ['30'], { output: 'inherit', signal: stop.signal })
  stop.abort()
  expect(await child.exited).toMatchObject({ description: 'sleep was ended by SIGTERM' })
})
