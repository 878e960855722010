import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { completion } from '../../../agent/cli/completion.ts'
import { run } from '../../lab/run.ts'

// Contains the scripts, and a file to complete.
const folder = mkdtempSync(join(tmpdir(), 'culvert-'))
beforeAll(() => {
  for (const shell of ['bash', 'zsh', 'fish']) writeFileSync(join(folder, shell), completion([shell]))
  writeFileSync(join(folder, 'some-file'), '')
})
afterAll(() => rmSync(folder, { recursive: true }))

/** What is typed, and the completed last word; empty if nothing matches. */
const cases: readonly (readonly [line: string, word: string])[] = [
  ['st', 'status'],
  ['completion z', 'zsh'],
  ['status --js', '--json'],
  ['ruleset --sv', '--svg'],
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
  ['kubec', 'kubeconfig'],
  ['kubeconfig kube --fo', '--force'],
  [`kubeconfig --kubeconfig=${folder}/some-f`, `--kubeconfig=${folder}/some-file`],
  ['nonsense', ''],
  ['status --dest', ''],
  ['--hostname x', ''],
  ['--experimental-dest-dns', '--experimental-dest-dns-name'],
]
const typed = cases.map(([line]) => `culvert ${line}`)
const lines = cases.map(([line, word]) => (word === '' ? line : line.replace(/\S+$/, word)))

/** Prints the arguments with which it is called. */
const program = 'culvert() { echo "called: $*"; }'
/** The printed arguments, without a final "=", which zsh removes if no value follows. */
const called = (stdout: string): string[] =>
  [...stdout.matchAll(/^called: ?(.*)$/gm)].map(([, words = '']) => words.trim().replace(/=$/, ''))

describe('completes commands, flags and values', () => {
  test('in bash', async () => {
    const input = [program, `source ${folder}/bash`, ...typed.map((line) => `${line}\t`), 'exit\n'].join('\n')
    const { stdout } = await run(['bash', '--norc', '--noprofile', '-i'], { input })
    expect(called(stdout)).toEqual(lines)
  })

  test('in zsh', async () => {
    // zsh completes only in a terminal.
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
