import { describe, expect, it } from 'vitest'
import { runCommand } from '../../lib/command.ts'

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
    ['an abort', ['sleep', '10'], { signal: AbortSignal.timeout(50) }, /^sleep failed with ABORT_ERR$/],
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
