import { execa } from 'execa'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CulvertError } from '../../../lib/errors.ts'
import { projectRoot } from '../paths.ts'
import type { Progress } from '../progress.ts'
import { run, tail } from '../run.ts'

/**
 * The packages in a list: one per line, `#` starts a comment. One whose comment begins with `GROUP:` is left out unless
 * the group is wanted.
 */
export function parseList(text: string, groups: readonly string[]): string[] {
  return text.split('\n').flatMap((line) => {
    const [, name = '', group] = /^\s*([^#\s]*)\s*(?:#\s*(\w+):)?/.exec(line)!
    return name !== '' && (group === undefined || groups.includes(group)) ? [name] : []
  })
}

/** The project's Debian packages, with those of `groups`, that are not installed; all of them without dpkg. */
export async function missingPackages(groups: readonly string[]): Promise<string[]> {
  const wanted = parseList(await readFile(join(projectRoot, 'debian-packages.txt'), 'utf8'), groups)
  const query = ['dpkg-query', '--show', '--showformat', '${Package} ${db:Status-Status}\n', ...wanted]
  // With an unknown package it exits with 1, but still lists the others.
  const { stdout } = await run(query, { check: false }).catch(() => ({ stdout: '' }))
  const installed = new Set(
    stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  )
  return wanted.filter((name) => !installed.has(name))
}

/** Installs Debian packages, in two steps of `progress`. */
export async function installPackages(names: readonly string[], progress: Progress): Promise<void> {
  await progress.step('refresh the list of Debian packages', (note) => apt(['update'], note))
  await progress.step(`install ${names.join(', ')}`, (note) =>
    apt(['install', '--yes', '--no-install-recommends', ...names], note),
  )
}

async function apt(args: readonly string[], note: (detail: string) => void): Promise<void> {
  const child = execa('apt-get', ['-o', 'DPkg::Lock::Timeout=300', ...args], {
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    stdin: 'ignore',
    reject: false,
    all: true,
  })
  for await (const line of child.iterable({ from: 'all' })) note(line.trim().slice(0, 80))
  const { exitCode, all } = await child
  if (exitCode === 0) return
  throw new CulvertError('command', `apt-get ${args[0]} failed:\n${tail(all ?? '', 10)}`, {
    remedy: 'Check that the Debian mirror is reachable, or install the packages in debian-packages.txt by hand',
  })
}
