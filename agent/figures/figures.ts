import type { PeerPath } from '../../localapi/paths.ts'
import type { Backend } from '../../netfilter/backend.ts'
import type { Context } from '../world/context.ts'
import { readPaths } from './peers.ts'
import { type TrafficFigures, trafficReader } from './traffic.ts'
import { readUdpErrors, type UdpErrors } from './udp-errors.ts'

/** What is not in World, since it is read only when somebody asks for it. */
export type Figures = {
  /** Undefined where rules forward nothing. */
  readonly traffic?: TrafficFigures | undefined
  /** Undefined if there is no target in the tailnet, or tailscaled does not say. */
  readonly peers?: readonly Omit<PeerPath, 'addresses' | 'routes'>[] | undefined
  readonly udpErrors?: UdpErrors
}

/** How long tailscaled may take to say how it reaches its peers, in ms: less than a command waits for the agent. */
const pathsMs = 2000

export type ReadFigures = () => Promise<Figures>

/** Gives a function that reads all figures. It never rejects, and answers within the time that a command waits. */
export function figuresReader(context: Context, backend: Backend | undefined): ReadFigures {
  const { store, api, signal } = context
  const readTraffic = trafficReader(context, backend)
  const read = async (): Promise<Figures> => {
    const [traffic, peers, udpErrors] = await Promise.all([
      readTraffic(),
      readPaths(store.world, api, signal, pathsMs),
      readUdpErrors(store.world.settings.root),
    ])
    return { traffic, peers, udpErrors }
  }
  let reading: Promise<Figures> | undefined
  // Simultaneous readers share the work.
  return () => (reading ??= read().finally(() => (reading = undefined)))
}
