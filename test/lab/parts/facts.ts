import { existsSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { describe } from '../../../lib/errors.ts'
import { cgroupProblem } from '../namespaces/cgroups.ts'
import { run } from '../run.ts'
import { goVersion } from './go.ts'
import { goNeeded } from './module.ts'
import { missingPackages } from './packages.ts'
import type { Facts } from './prerequisites.ts'

/** Inspects this machine. Makes /dev/net/tun if it is missing and can be made. `groups`: of the parts to come. */
export async function gatherFacts(groups: readonly string[]): Promise<Facts> {
  const linux = process.platform === 'linux'
  const uid = process.getuid?.() ?? -1
  const [capabilities, go, needed, tun, namespaces, cgroups, missing] = await Promise.all([
    linux ? effectiveCapabilities() : 0n,
    goVersion().catch(() => undefined),
    goNeeded(),
    linux && uid === 0 ? tunProblem() : undefined,
    linux && uid === 0 ? namespaceProblem() : undefined,
    linux && uid === 0 && groups.includes('cluster') ? cgroupProblem() : undefined,
    missingPackages(groups),
  ])
  const hasApt = existsSync('/usr/bin/apt-get')
  return {
    platform: process.platform,
    uid,
    capabilities,
    go,
    goNeeded: needed,
    tun,
    namespaces,
    cgroups,
    missingPackages: missing,
    hasApt,
  }
}

async function effectiveCapabilities(): Promise<bigint> {
  const match = /^CapEff:\s*([\da-f]+)$/m.exec(await readFile('/proc/self/status', 'utf8'))
  return BigInt(`0x${match?.[1] ?? '0'}`)
}

async function tunProblem(): Promise<string | undefined> {
  const device = '/dev/net/tun'
  try {
    if (!existsSync(device)) {
      await run(['mkdir', '-p', '/dev/net'])
      await run(['mknod', '-m', '0666', device, 'c', '10', '200'])
    }
    const file = await open(device, 'r+')
    await file.close()
    return undefined
  } catch (error) {
    return oneLine(error)
  }
}

async function namespaceProblem(): Promise<string | undefined> {
  try {
    await run(['unshare', '--net', '--mount', '--pid', '--fork', '--mount-proc', 'true'])
    return undefined
  } catch (error) {
    return oneLine(error)
  }
}

function oneLine(error: unknown): string {
  return describe(error).replaceAll('\n', ' ')
}
