import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunCommand } from '../../lib/command.ts'
import { CulvertError } from '../../lib/errors.ts'
import { parseTailscaleVersion, recordName, unsupported } from '../../wire/capability-version.ts'

const remedy = 'Run "culvert check-image --record" in the image’s build, after both are in place.'

/**
 * Checks that tailscale and tailscaled are of the same version, and that this is the one in the record in the directory
 * `home`, which `write` writes first. Returns a warning about the version.
 * @throws CulvertError `command` with what differs.
 */
export async function checkImage(run: RunCommand, home: string, write: boolean): Promise<string | undefined> {
  const [client, daemon] = await Promise.all([
    run('tailscale', ['version', '--json']),
    run('tailscaled', ['--version']),
  ])
  const different = mismatch(client, daemon)
  if (different !== undefined) {
    throw new CulvertError('command', different, { remedy: 'Take both from the same release.' })
  }
  const record = join(home, recordName)
  if (write) await writeFile(record, client)
  const recorded = parseTailscaleVersion(await readFile(record, 'utf8').catch(() => ''))
  const { version, cap } = parseTailscaleVersion(client)!
  if (recorded?.cap === cap) return unsupported(version)
  const what = recorded === undefined ? 'none is recorded' : `${recorded.cap} is recorded`
  throw new CulvertError('command', `tailscale ${version} has capability version ${cap}, but ${what} in ${record}`, {
    remedy,
  })
}

/**
 * What is wrong with the two: `client` is the output of `tailscale version --json`, `daemon` that of `tailscaled
 * --version`, whose first line is the version.
 */
export function mismatch(client: string, daemon: string): string | undefined {
  const told = parseTailscaleVersion(client)
  if (told === undefined) return `tailscale tells no capability version: ${client.trim().slice(0, 1000)}`
  const [version = ''] = daemon.split('\n')
  const same = version === told.version || version.startsWith(`${told.version}-`)
  return same ? undefined : `tailscale is ${told.version}, but tailscaled is ${version}`
}
