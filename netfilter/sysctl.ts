import { access, constants, readFile, writeFile } from 'node:fs/promises'
import { type Family, families, familyName } from '../lib/address.ts'
import { CulvertError, describe } from '../lib/errors.ts'

const switches: Record<Family, string> = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' }

const read = async (root: string, name: string): Promise<string | undefined> => {
  try {
    return (await readFile(`${root}/proc/sys/${name}`, 'utf8')).trim()
  } catch {
    return undefined
  }
}

/** The address families that the kernel supports in this network namespace. `root` prefixes /proc. */
export async function kernelFamilies(root: string): Promise<Family[]> {
  const disabled = await read(root, 'net/ipv6/conf/all/disable_ipv6')
  const carries6 = disabled === undefined ? (await read(root, switches[6])) !== undefined : disabled === '0'
  return families.filter((family) => family === 4 || carries6)
}

/** Whether a family is forwarded, and if not, whether `enableForwarding` could change that. */
export async function forwardingOf(root: string, family: Family): Promise<'on' | 'off' | 'fixed'> {
  const name = switches[family]
  if ((await read(root, name)) === '1') return 'on'
  return access(`${root}/proc/sys/${name}`, constants.W_OK).then(
    () => 'off',
    () => 'fixed',
  )
}

/** What grants it. */
export const forwardingRemedy = (family: Family): string =>
  `Set ${switches[family].replaceAll('/', '.')}=1 through the Pod's securityContext.sysctls (kubelet must allow it; under hostNetwork, on the node), ` +
  'in a privileged init container, or run this container privileged.'

/**
 * Switches forwarding of each family on, unless it is already.
 * @throws CulvertError `privilege` naming the setting and how it is granted.
 */
export async function enableForwarding(root: string, wanted: readonly Family[]): Promise<void> {
  for (const family of wanted) {
    const name = switches[family]
    if ((await read(root, name)) === '1') continue
    try {
      await writeFile(`${root}/proc/sys/${name}`, '1')
    } catch (error) {
      throw new CulvertError(
        'privilege',
        `${familyName(family)} forwarding is off and /proc/sys/${name} cannot be written (${describe(error)})`,
        { remedy: forwardingRemedy(family) },
      )
    }
  }
}
