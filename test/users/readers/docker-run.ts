import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { assignment, type Reader, urlsIn, volumes } from './container.ts'

const run = promisify(execFile)
const docker = `#!/bin/sh
[ "$1" = run ] || exit 0
printf '%s\\n' "$@"
`
/** Options that stand alone; each other one has a value behind it, or behind `=`. */
const alone = /^(?:-[dit]+|--rm|--privileged|--detach|--init)$/

/** A script that runs `docker run`: the shell reads it, with a `docker` that prints what it was given. */
export const readDockerRun: Reader = async (directory, file) => {
  const programs = await mkdtemp(join(tmpdir(), 'culvert-docker-'))
  try {
    await writeFile(join(programs, 'docker'), docker, { mode: 0o755 })
    const PATH = `${programs}:${process.env['PATH'] ?? ''}`
    const { stdout } = await run('sh', [join(directory, file)], { env: { PATH, TMPDIR: programs } })
    return containerOf(directory, stdout.trimEnd().split('\n').slice(1))
  } finally {
    await rm(programs, { recursive: true })
  }
}

function containerOf(directory: string, words: readonly string[]) {
  const options: [name: string, value: string][] = []
  for (let index = 0; words[index]?.startsWith('-'); index += 1) {
    const word = words[index] ?? ''
    const [, name = word, value] = /^(--[a-z-]+)=(.*)$/s.exec(word) ?? []
    if (alone.test(word)) continue
    if (value === undefined) index += 1
    options.push([name, value ?? words[index] ?? ''])
  }
  const valuesOf = (...names: readonly string[]): string[] =>
    options.flatMap(([name, value]) => (names.includes(name) ? [value] : []))
  return {
    env: Object.fromEntries(valuesOf('-e', '--env').map(assignment)),
    ...volumes(directory, valuesOf('-v', '--volume')),
    urls: valuesOf('--health-cmd').flatMap(urlsIn),
  }
}
