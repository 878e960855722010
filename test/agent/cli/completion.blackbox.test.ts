import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { completion } from '../../../agent/cli/completion.ts'
import { run } from '../../lab/run.ts'

// With the scripts, and with a file to be completed.
const folder = mkdtempSync(join(tmpdir(), 'culvert-'))
beforeAll(() => {
  for (const shell of ['bash', 'zsh', 'fish']) writeFileSync(join(folder, shell), completion([shell]))
  writeFileSync(join(folder, 'some-file'), '')
})
afterAll(() => rmSync(folder, { recursive: true }))

/** What a person types, and what the key Tab makes of the last word of it; nothing where nothing fits. */
const cases: readonly (readonly [line: string, word: string])[] = [
  ['st', 'status'],
  ['completion z', 'zsh'],
  ['status --js', '--json'],
  [`ready --culvert-socket=${folder}/some-f`, `--culvert-socket=${folder}/some-file`],
  ['--dest', '--dest-ip'],
  ['run --serve', '--serve-config'],
  ['run --hostname proxy --serve', '--serve-config'],
  ['--userspace --serve', '--serve-config'],
  ['--userspace=f', '--userspace=false'],
  [`--state-dir=${folder}/some-f`, `--state-dir=${folder}/some-file`],
  [`--state-dir ${folder}/some-f`, `${folder}/some-file`],
  ['--authkey=f', '--authkey=file:'],
  [`--authkey=file:${folder}/some-f`, `--authkey=file:${folder}/some-file`],
  [`--authkey file:${folder}/some-f`, `file:${folder}/some-file`],
  ['nonsense', ''],
  ['status --dest', ''],
  ['--hostname x', ''],
  ['--experimental-dest-dns', '--experimental-dest-dns-name'],
]
const typed = cases.map(([line]) => `culvert ${line}`)
const lines = cases.map(([line, word]) => (word === '' ? line : line.replace(/\S+$/, word)))

/** A program of that name prints what it was called with. */
const program = 'culvert() { echo "called: $*"; }'
/** What was printed so, without the "=" after a flag, which zsh takes away where no value follows. */
const called = (stdout: string): string[] =>
  [...stdout.matchAll(/^called: ?(.*)$/gm)].map(([, words = '']) => words.trim().replace(/=$/, ''))

describe('completes commands, flags and values', () => {
  test('in bash', async () => {
    const input = [program, `source ${folder}/bash`, ...typed.map((line) => `${line}\t`), 'exit\n'].join('\n')
    const { stdout } = await run(['bash', '--norc', '--noprofile', '-i'], { input })
    expect(called(stdout)).toEqual(lines)
  })

  test('in zsh', async () => {
    // A shell in a terminal of its own.
    const script = `
      zmodload zsh/zpty
      zpty shell zsh -f -i
      zpty -w shell 'PS1=; unset zle_bracketed_paste; ${program}'
      zpty -w shell 'autoload -U compinit; compinit -D -u; source ${folder}/zsh; echo be""gin'
      zpty -r shell out '*begin*'
      for line in "$@"; do
        zpty -w shell "$line"$'\\t'
        zpty -r shell out $'*called: *\\n'
        print -r -- "called: \${\${out##*called: }%%$'\\r'*}"
      done
      zpty -d shell`
    const { stdout } = await run(['zsh', '-f', '-c', script, 'zsh', ...typed])
    expect(called(stdout)).toEqual(lines)
  })

  test('in fish', async () => {
    const script = `
      source ${folder}/fish
      for line in $argv
        echo "called:" (complete -C $line | string replace -r '\\t.*' '')
      end`
    const { stdout } = await run(['fish', '--no-config', '-c', script, ...typed])
    expect(called(stdout)).toEqual(cases.map(([, word]) => word))
  })
})
