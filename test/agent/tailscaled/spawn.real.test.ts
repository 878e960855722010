import { createInterface } from 'node:readline'
import { expect, it } from 'vitest'
import { carryLines } from '../../../agent/tailscaled/its-lines.ts'
import { spawner } from '../../../agent/tailscaled/spawn.ts'

const spawn = spawner({ PATH: process.env['PATH'], INHERITED: 'yes' })

it('gives children the whole environment, and passes on their output', async () => {
  const child = spawn('sh', ['-c', 'echo "$INHERITED $MORE"; exit 4'], { output: 'pipe', env: { MORE: 'too' } })
  const [stdout] = child.output
  if (stdout === undefined) throw new Error('no output')
  expect(await Array.fromAsync(createInterface({ input: stdout }))).toEqual(['yes too'])
  expect(await child.exited).toEqual({ code: 4, description: 'sh ended with exit code 4' })
})

it('reports a missing program', async () => {
  const child = spawn('no-such-program', [], { output: 'inherit' })
  expect(child.pid).toBeUndefined()
  expect(await child.exited).toEqual({
    code: undefined,
    description: 'no-such-program is not installed, or not in PATH',
    isFinal: true,
  })
})

it('reports the reason when the system cannot start a process', async () => {
  const long = spawn('sleep', ['x'.repeat(200_000)], { output: 'inherit' })
  expect(await long.exited).toEqual({ code: undefined, description: 'sleep cannot be started: spawn E2BIG' })
  long.kill('SIGTERM')
  const script = `
    import { spawner } from ${JSON.stringify(import.meta.resolve('../../../agent/tailscaled/spawn.ts'))}
    import { openSync } from 'node:fs'
    const taken = []
    try { for (;;) taken.push(openSync('/dev/null')) } catch {}
    const child = spawner({ PATH: process.env.PATH })('sleep', ['30'], { output: 'pipe' })
    console.log(JSON.stringify([child.output.length, await child.exited]))`
  const limited = spawn('prlimit', ['--nofile=64', process.execPath, '--input-type=module', '--eval', script], {
    output: 'pipe',
  })
  const [stdout] = limited.output
  const [line = ''] = await Array.fromAsync(createInterface({ input: stdout! }))
  expect(JSON.parse(line)).toEqual([0, { description: expect.stringMatching(/^sleep cannot be started: .*EMFILE/) }])
})

it.each(['before', 'after'])('ends a child whose signal aborts %s its start', async (when) => {
  const stop = new AbortController()
  if (when === 'before') stop.abort()
  const child = spawn('sleep', ['30'], { output: 'inherit', signal: stop.signal })
  stop.abort()
  expect(await child.exited).toMatchObject({ description: 'sleep was ended by SIGTERM' })
})

it('notices the end of a child whose own child still holds its output, if that is not to be waited for', async () => {
  const child = spawn('sh', ['-c', 'sleep 1000 & echo "$!"'], { output: 'pipe', outputOutlivesMs: 1 })
  const told: string[] = []
  const [exit] = await Promise.all([child.exited, carryLines(child.output, ({ text }) => told.push(text))])
  const holder = Number(told[0])
  // It lives, so its output cannot have ended by itself.
  expect(process.kill(holder, 'SIGKILL')).toBe(true)
  expect(exit.code).toBe(0)
})
