import { mkdirSync, readFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { parseAddress } from '../../lib/address.ts'
import type { RunCommand } from '../../lib/command.ts'
import { codeOf, CulvertError, describe } from '../../lib/errors.ts'
import { specialAddress } from '../../lib/special-address.ts'
import type { Settings } from '../settings/settings.ts'
import { inTailnetRange, overlapText } from '../targets/cluster-overlap.ts'
import { forwardsByServe } from '../targets/ports.ts'

const capabilities = { netAdmin: 12n, mknod: 27n } as const

/** Whether this process has a capability. */
function has(capability: keyof typeof capabilities): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  return ((BigInt(`0x${effective}`) >> capabilities[capability]) & 1n) === 1n
}

/**
 * Checks that this process may configure the network, which tailscaled in kernel mode and the rules both need.
 * @throws CulvertError `privilege` naming the capability and how to grant it.
 */
export function requireNetAdmin(): void {
  if (has('netAdmin')) return
  throw new CulvertError('privilege', 'the capability NET_ADMIN is missing, which TS_USERSPACE=false needs', {
    remedy: 'Add NET_ADMIN to the container’s securityContext.capabilities.add, or set TS_USERSPACE=true.',
  })
}

/**
 * Ensures that a TUN device can be opened; creates the device node `<root>/dev/net/tun` if it is absent.
 * @throws CulvertError `privilege` naming what is missing and how to grant it.
 */
export async function requireTun(root: string, run: RunCommand): Promise<void> {
  const path = tunOf(root)
  try {
    await openOnce(path)
    return
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw tunFailure(path, 'cannot be opened', error)
  }
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
    // Node cannot create device nodes.
    await run('mknod', ['-m', '600', path, 'c', '10', '200'])
  } catch (error) {
    throw tunFailure(path, 'is absent and cannot be made', error)
  }
  await openOnce(path).catch((error: unknown) => {
    throw tunFailure(path, 'was made but cannot be opened', error)
  })
}

/**
 * The same without making anything: whether it is there, or this process has the capability to make it.
 * @throws CulvertError `privilege`, as `requireTun` does.
 */
export async function checkTun(root: string): Promise<'there' | 'made at the start'> {
  const path = tunOf(root)
  try {
    await openOnce(path)
    return 'there'
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw tunFailure(path, 'cannot be opened', error)
    if (!has('mknod')) throw tunFailure(path, 'is absent and cannot be made', error)
    return 'made at the start'
  }
}

const tunOf = (root: string): string => `${root}/dev/net/tun`

async function openOnce(path: string): Promise<void> {
  const device = await open(path, 'r+')
  await device.close()
}

const tunFailure = (path: string, what: string, cause: unknown): CulvertError =>
  new CulvertError('privilege', `${path} ${what}: ${describe(cause)}`, { remedy: tunRemedy(codeOf(cause)) })

const tunRemedy = (code: string | undefined): string =>
  code === 'ENODEV' || code === 'ENXIO'
    ? 'Load the driver on the node: modprobe tun.'
    : 'Mount that of the node: add {name: tun, hostPath: {path: /dev/net/tun, type: CharDevice}} to spec.volumes of the ' +
      'Pod, and {name: tun, mountPath: /dev/net/tun} to volumeMounts of the container. Where the runtime denies that, ' +
      'set securityContext.privileged: true; where the node has none, modprobe tun makes it.'

/** Warnings of addresses in the settings that are probably out of reach in kernel mode. */
export const addressWarnings = (settings: Settings): string[] =>
  settings.userspace ? [] : [...overlapWarnings(settings), ...specialWarnings(settings)]

/**
 * Targets of TS_DEST_IP to which the kernel does not forward. Link-local IPv4 addresses work, if a device has them, and
 * tailscaled's own connections reach loopback addresses.
 */
const specialWarnings = (settings: Settings): string[] =>
  (forwardsByServe(settings) ? [] : settings.targets).flatMap((target) => {
    const what = specialAddress(target)
    if (what === undefined || target.text.startsWith('169.254.')) return []
    const remedy = 'for a program in this Pod, name the Pod’s address, and let the program listen there'
    return [`TS_DEST_IP has ${target.text}, ${what}, to which the kernel forwards nothing: ${remedy}`]
  })

/** Cluster addresses within the tailnet's range. */
function overlapWarnings({ pod, cluster, targets }: Settings): string[] {
  const named = [
    ['the Pod', pod.ipv4],
    ['the Kubernetes API', cluster.host],
    ...targets.map(({ text }) => ['the target', text] as const),
  ] as const
  const inside = named.flatMap(([what, text]) => {
    const address = parseAddress(text)
    return address !== undefined && inTailnetRange(address) ? [`${what} (${text})`] : []
  })
  return inside.length === 0 ? [] : [overlapText(inside.join(', '))]
}
