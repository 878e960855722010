import { parseAddress } from '../../lib/address.ts'
import { type EnvReader, refusal } from './env-reader.ts'
import type { Settings } from './settings.ts'

/**
 * The Pod's own addresses, the last of each family, its name and its UID.
 * @throws CulvertError `settings` if POD_IPS holds anything but one or two addresses.
 */
export function readPod({ raw, text }: EnvReader): {
  readonly pod: Settings['pod']
  readonly warnings: readonly string[]
} {
  const value = raw('POD_IPS')
  const none = { ipv4: '', ipv6: '', name: text('POD_NAME'), uid: text('POD_UID') }
  if (value === undefined) return { pod: none, warnings: [] }
  if (value === '') {
    // Kubelet sets this while it does not know them yet. Traffic does not depend on them, so that ending here, as
    // upstream does, is too strict.
    return { pod: none, warnings: ['POD_IPS is empty: the Pod’s addresses are missing in the answers of /healthz'] }
  }
  const addresses = value.split(',').map(parseAddress)
  if (addresses.length > 2 || addresses.includes(undefined)) {
    throw refusal('POD_IPS', value, 'one or two IP addresses, separated by a comma without spaces, are accepted')
  }
  const last = (family: 4 | 6): string => addresses.findLast((address) => address?.family === family)?.text ?? ''
  return { pod: { ...none, ipv4: last(4), ipv6: last(6) }, warnings: [] }
}
