import { networkInterfaces } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import { type Address, parseAddress, parsePrefix } from '../../lib/address.ts'
import { describe } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import { readSmallFile } from '../../lib/read-file.ts'
import { sleep } from '../../lib/timers.ts'
import type { Waits } from '../world/timings.ts'
import type { LocalNetwork, Store } from '../world/world.ts'

/** Far more than a resolver reads of it. */
const maxBytes = 64 * 1024
const tunnel = 'tailscale0'

/**
 * Keeps World.network at what devices and files say, until `signal` aborts. It has been looked at once this resolves.
 * A list of resolvers that cannot be read is said, and the last one kept.
 */
export async function followNetwork(
  { store, log, waits }: { readonly store: Store; readonly log: Log; readonly waits: Waits },
  signal: AbortSignal,
): Promise<void> {
  const { root, cluster } = store.world.settings
  const apiServer = parseAddress(cluster.host.replace(/^\[(.*)\]$/, '$1'))
  const path = `${root}/etc/resolv.conf`
  let said = ''
  const readResolvers = async (): Promise<readonly Address[]> => {
    try {
      const resolvers = parseResolvers((await readSmallFile(path, maxBytes)).toString('utf8'))
      said = ''
      return resolvers
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
      const text = `warning: ${path} cannot be read: ${describe(error)}`
      if (text !== said) log(text)
      said = text
      return store.world.network?.resolvers ?? []
    }
  }
  const look = async (): Promise<void> => {
    const network: LocalNetwork = {
      addresses: addressesOf(networkInterfaces()),
      apiServer: apiServer === undefined ? [] : [apiServer],
      resolvers: await readResolvers(),
    }
    store.update((world) => (isDeepStrictEqual(world.network, network) ? world : { ...world, network }))
  }
  const goOn = async (): Promise<void> => {
    while (!signal.aborted) {
      await sleep(waits.statusPoll, signal)
      await look()
    }
  }
  await look()
  void goOn()
}

/** The addresses of all devices but the tunnel's. */
export function addressesOf(devices: ReturnType<typeof networkInterfaces>): LocalNetwork['addresses'] {
  return Object.entries(devices).flatMap(([device, infos = []]) =>
    infos.flatMap((info) => {
      const address = parseAddress(info.address)
      const onLink = parsePrefix(info.cidr ?? `${info.address}/${info.family === 'IPv4' ? 32 : 128}`)
      return device === tunnel || address === undefined || onLink === undefined ? [] : { address, onLink, device }
    }),
  )
}

/** The name servers of a resolv.conf. One with a zone is link-local, which no target may be in any case. */
export const parseResolvers = (text: string): Address[] =>
  [...text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm)].flatMap(([, value = '']) => parseAddress(value) ?? [])
