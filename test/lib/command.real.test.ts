import { constants } from 'node:buffer'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { CommandError, type CommandFailure, runAhead, runCommand } from '../../lib/command.ts'

/** The kernel takes at most 128 KiB for one argument: Node throws synchronously. */
const tooLong = 'x'.repeat(200_000)

describe('runCommand', () => {
  it('refuses output longer than a string can be, and ends the program only', async () => {
    await expect(runCommand('head', ['-c', String(constants.MAX_STRING_LENGTH), '/dev/zero'])).rejects.toThrow(
      'head printed too much',
    )
  })

  it('returns the output, and passes input to the program', async () => {
    expect(await runCommand('cat', [], { input: 'a\nb\n' })).toBe('a\nb\n')
    expect(await runCommand('cat', [])).toBe('')
  })

  it('survives a program that does not read its input', async () => {
    expect(await runCommand('true', [], { input: 'x'.repeat(1_000_000) })).toBe('')
  })

  const none = { exitCode: undefined, stderr: '', timedOut: false, signal: undefined, notInstalled: false }
  it.each<[string, string[], object, RegExp, CommandFailure]>([
    ['a missing program', ['no-such-program'], {}, /^no-such-program is not installed$/, { notInstalled: true }],
    [
      'a failure, with the text of stderr',
      ['sh', '-c', 'echo why >&2; exit 3'],
      {},
      /^sh failed with exit code 3: why$/,
      { exitCode: 3, stderr: 'why' },
    ],
    ['a signal', ['sh', '-c', 'kill -9 $$'], {}, /^sh was ended by SIGKILL$/, { signal: 'SIGKILL' }],
    [
      'a timeout',
      ['sleep', '10'],
      { timeoutMs: 50 },
      /^sleep took longer than 0\.05 s$/,
      { timedOut: true, signal: 'SIGKILL' },
    ],
    [
      'arguments that are too long for the kernel',
      ['true', tooLong],
      {},
      /^true could not be started: spawn E2BIG$/,
      {},
    ],
  ])('rejects %s', async (_name, [program = '', ...args], options, message, failure) => {
    const error: unknown = await runCommand(program, args, options).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(CommandError)
    expect(error).toMatchObject({ code: 'command', message: expect.stringMatching(message), ...none, ...failure })
  })

  it('never quotes arguments or input in an error', async () => {
    await expect(runCommand('sh', ['-c', 'exit 1', 'secret'], { input: 'secret' })).rejects.toThrow(/^(?!.*secret)/)
  })
})

describe('runAhead', () => {
  const script = 'read line && echo $$ $line'
  const feed = () => runAhead('sh', ['-c', script])

  /** The process that has been started ahead and waits for input. */
  const waiting = async (): Promise<number> => {
    const found = () =>
      readdirSync('/proc/self/task')
        .flatMap((thread) => readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' '))
        .find((pid) => pid !== '' && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(script))
    let pid: string | undefined
    await expect.poll(() => (pid = found())).toBeDefined()
    return Number(pid)
  }

  it('returns the output of each, and has the next process waiting for input', async () => {
    const run = feed()
    expect(await run('a\n')).toMatch(/^\d+ a\n$/)
    for (const input of ['b', 'c']) {
      const pid = await waiting()
      expect(await run(`${input}\n`)).toBe(`${pid} ${input}\n`)
    }
    process.kill(await waiting())
  })

  it('starts another process when the waiting one was killed, or the last one failed', async () => {
    const run = feed()
    expect(await run('a\n')).toMatch(/ a\n$/)
    process.kill(await waiting(), 'SIGKILL')
    await expect.poll(() => run('b\n').catch(String)).toMatch(/ b\n$/)
    await expect(run('')).rejects.toThrow('sh failed with exit code 1')
    expect(await run('c\n')).toMatch(/ c\n$/)
    process.kill(await waiting())
    await expect(runAhead('no-such-program', [])('')).rejects.toThrow('no-such-program is not installed')
  })

  it('goes on when the process for the next input cannot be started', async () => {
    const args = ['-c', script]
    const run = runAhead('sh', args)
    expect(await run('a\n')).toMatch(/ a\n$/)
    args.push(tooLong)
    // Timers fire in order: by then the next process has been requested, in a timer of its own.
    await delay(50)
    await expect(run('b\n')).rejects.toThrow('sh could not be started')
    args.pop()
    expect(await run('c\n')).toMatch(/ c\n$/)
    process.kill(await waiting())
  })

  it('goes on when there is no file descriptor left for that process', async () => {
    const module = new URL('../../lib/command.ts', import.meta.url).href
    const program = `
      import { runAhead } from ${JSON.stringify(module)}
      import { closeSync, openSync } from 'node:fs'
      import { setTimeout as delay } from 'node:timers/promises'
      const run = runAhead('cat', [])
      const printed = [await run('a')]
      const taken = []
      try { for (;;) taken.push(openSync('/dev/null')) } catch {}
      await delay(50)
      printed.push(await run('b').catch(({ message }) => message))
      taken.forEach((one) => closeSync(one))
      printed.push(await run('c'))
      console.log(JSON.stringify(printed))`
    const args = ['--nofile=64', process.execPath, '--input-type=module', '--eval', program]
    const printed: unknown = JSON.parse(await runCommand('prlimit', args))
    expect(printed).toEqual(['a', expect.stringMatching(/^cat could not be started/), 'c'])
  })

  it('does not keep Node running, and ends with it', async () => {
    const module = new URL('../../lib/command.ts', import.meta.url).href
    const program = `const { runAhead } = await import(${JSON.stringify(module)}); process.stdout.write(await runAhead('sh', ['-c', ${JSON.stringify(script)}])('a\\n'))`
    const ended = runCommand(process.execPath, ['--input-type=module', '-e', program], { timeoutMs: 60_000 })
    expect(await ended).toMatch(/^\d+ a\n$/)
  })
})
