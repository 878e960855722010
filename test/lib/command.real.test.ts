import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { runAhead, runCommand } from '../../lib/command.ts'

describe('runCommand', () => {
  it('gives what was printed, and passes input on', async () => {
    expect(await runCommand('cat', [], { input: 'a\nb\n' })).toBe('a\nb\n')
    expect(await runCommand('cat', [])).toBe('')
  })

  it('survives a program that does not read its input', async () => {
    expect(await runCommand('true', [], { input: 'x'.repeat(1_000_000) })).toBe('')
  })

  it.each<[string, string[], object, RegExp]>([
    ['a program that is not there', ['no-such-program'], {}, /^no-such-program is not installed$/],
    ['a failure, with its words', ['sh', '-c', 'echo why >&2; exit 3'], {}, /^sh failed with exit code 3: why$/],
    ['a signal', ['sh', '-c', 'kill -9 $$'], {}, /^sh was ended by SIGKILL$/],
    ['too long a time', ['sleep', '10'], { timeoutMs: 50 }, /^sleep took longer than 0\.05 s$/],
  ])('rejects %s', async (_name, [program = '', ...args], options, message) => {
    await expect(runCommand(program, args, options)).rejects.toMatchObject({
      code: 'command',
      message: expect.stringMatching(message),
    })
  })

  it('never tells arguments or input', async () => {
    await expect(runCommand('sh', ['-c', 'exit 1', 'secret'], { input: 'secret' })).rejects.toThrow(/^(?!.*secret)/)
  })
})

describe('runAhead', () => {
  const script = 'read line && echo $$ $line'
  const feed = () => runAhead('sh', ['-c', script])

  /** The process that waits for input. */
  const waiting = async (): Promise<number> => {
    const found = () =>
      readdirSync('/proc/self/task')
        .flatMap((thread) => readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' '))
        .find((pid) => pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(script))
    await expect.poll(found).toBeDefined()
    return Number(found())
  }

  it('gives what each printed, of which the next has waited for its input', async () => {
    const run = feed()
    expect(await run('a\n')).toMatch(/^\d+ a\n$/)
    for (const input of ['b', 'c']) {
      const pid = await waiting()
      expect(await run(`${input}\n`)).toBe(`${pid} ${input}\n`)
    }
    process.kill(await waiting())
  })

  it('starts another when that which waited was ended, or the last one failed', async () => {
    const run = feed()
    expect(await run('a\n')).toMatch(/ a\n$/)
    process.kill(await waiting(), 'SIGKILL')
    await expect.poll(() => run('b\n').catch(String)).toMatch(/ b\n$/)
    await expect(run('')).rejects.toThrow('sh failed with exit code 1')
    expect(await run('c\n')).toMatch(/ c\n$/)
    process.kill(await waiting())
    await expect(runAhead('no-such-program', [])('')).rejects.toThrow('no-such-program is not installed')
  })

  it('keeps nobody from ending, and ends with it', async () => {
    const module = new URL('../../lib/command.ts', import.meta.url).href
    const program = `const { runAhead } = await import(${JSON.stringify(module)}); process.stdout.write(await runAhead('sh', ['-c', ${JSON.stringify(script)}])('a\\n'))`
    const ended = runCommand(process.execPath, ['--input-type=module', '-e', program], { timeoutMs: 10_000 })
    expect(await ended).toMatch(/^\d+ a\n$/)
  })
})
