import type { RunCommand } from '../../lib/command.ts'
import { CulvertError } from '../../lib/errors.ts'
import { capabilityVersion, tailscaleVersion } from '../../wire/capability-version.ts'

/**
 * Checks that the tailscale and tailscaled next to this agent are the version that it is made for.
 * @throws CulvertError `command` with the version found and the version needed.
 */
export async function checkImage(run: RunCommand): Promise<void> {
  const [client, daemon] = await Promise.all([
    run('tailscale', ['version', '--json']),
    run('tailscaled', ['--version']),
  ])
  const problem = mismatch(client, daemon)
  if (problem === undefined) return
  throw new CulvertError('command', problem, { remedy: `Build the image with tailscale ${tailscaleVersion}.` })
}

/**
 * What is wrong with the two: `client` is the output of `tailscale version --json`, `daemon` that of `tailscaled
 * --version`, whose first line is the version.
 */
export function mismatch(client: string, daemon: string): string | undefined {
  const { majorMinorPatch, cap }: { majorMinorPatch?: string; cap?: number } = JSON.parse(client)
  if (cap !== capabilityVersion) {
    return `tailscale ${majorMinorPatch} has capability version ${cap}, but the agent is made for ${capabilityVersion}`
  }
  const [version = ''] = daemon.split('\n')
  const same = version === majorMinorPatch || version.startsWith(`${majorMinorPatch}-`)
  return same ? undefined : `tailscale is ${majorMinorPatch}, but tailscaled is ${version}`
}
