import { networkInterfaces } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import { parseAddress, parsePrefix } from '../../lib/address.ts'
import { describe } from '../../lib/errors.ts'
import type { Context } from '../world/context.ts'
import type { LocalNetwork } from '../world/local-network.ts'
import { parseResolvConf, readResolvConf } from './resolv-conf.ts'
import { events } from './log-events.ts'

type Parts = Pick<Context, 'store' | 'log' | 'timings' | 'clock' | 'signal' | 'background'>

/**
 * Keeps World.network up to date with devices and files, until `signal` aborts. Resolves after the first look. An
 * unreadable part is logged once, and its last value is kept.
 */
export async function followNetwork(
  { store, log, timings, clock, signal, background }: Parts,
  devices = networkInterfaces,
): Promise<void> {
  const { root, cluster, tunnelDevice } = store.world.settings
  const write = store.writer('network')
  const apiServer = parseAddress(cluster.host.replace(/^\[(.*)\]$/, '$1'))
  const path = `${root}/etc/resolv.conf`
  const lastProblem = new Map<string, string>()
  const readOr = async <T>(what: string, read: () => Promise<T> | T, last: T): Promise<T> => {
    try {
      const value = await read()
      lastProblem.delete(what)
      return value
    } catch (error) {
      const text = describe(error)
      if (lastProblem.get(what) !== text) log(events.unreadable({ what, problem: text }))
      lastProblem.set(what, text)
      return last
    }
  }
  const look = async (): Promise<void> => {
    const { network: last } = store.world
    const network: LocalNetwork = {
      addresses: await readOr(
        'the addresses of devices',
        () => addressesOf(devices(), tunnelDevice),
        last?.addresses ?? [],
      ),
      apiServer: apiServer === undefined ? [] : [apiServer],
      resolvers: await readOr(
        path,
        async () => parseResolvConf(await readResolvConf(path)).servers,
        last?.resolvers ?? [],
      ),
    }
    write((now) => (isDeepStrictEqual(now, network) ? now : network))
  }
  await look()
  background('looking at the Pod’s network', async () => {
    while (!signal.aborted) {
      await clock.sleep(timings.statusPoll, signal)
      await look()
    }
  })
}

/** The addresses of all devices but the tunnel's. */
export function addressesOf(
  devices: ReturnType<typeof networkInterfaces>,
  tunnelDevice: string,
): LocalNetwork['addresses'] {
  return Object.entries(devices).flatMap(([device, infos = []]) =>
    infos.flatMap((info) => {
      const address = parseAddress(info.address)
      const onLink = parsePrefix(info.cidr ?? `${info.address}/${info.family === 'IPv4' ? 32 : 128}`)
      return device === tunnelDevice || address === undefined || onLink === undefined ? [] : { address, onLink, device }
    }),
  )
}
