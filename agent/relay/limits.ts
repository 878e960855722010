import { readFileSync } from 'node:fs'
import { ingressPorts, portPairs } from '../targets/ports.ts'
import type { World } from '../world/world.ts'
import { spreads } from './reconciler.ts'

/** The most at once. A UDP session takes some 6 KiB of memory, a TCP connection more. */
const most = { connections: 20_000, sessions: 10_000 } as const
/** Files for everything else, such as the probes. */
const reserved = 100

/**
 * How many TCP connections and UDP sessions there may be at once, if the process may open `files` and has `ports` to
 * listen on: a connection needs two files, a session one.
 */
export function relayLimits(files: number, ports: number): { readonly connections: number; readonly sessions: number } {
  const free = Math.max(4, files - ports - reserved)
  return {
    connections: Math.min(most.connections, Math.floor(free / 4)),
    sessions: Math.min(most.sessions, Math.floor(free / 2)),
  }
}

/** How many files this process may open; Node has raised the limit as far as it may. */
export function openFiles(): number {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
  return soft === undefined ? Infinity : Number(soft)
}

/** How many ports the agent itself listens on to forward them. */
export function portCount(world: World): number {
  const { byServe, byRelay } = ingressPorts(world)
  return portPairs(byRelay).size + (spreads(world.settings) ? portPairs(byServe).size : 0)
}
