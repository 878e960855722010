import { readFileSync } from 'node:fs'
import type { World } from '../world/world.ts'
import { relayPairs } from './reconciler.ts'

/** The most at once. A UDP session takes some 6 KiB of memory, a TCP connection more. */
const most = { connections: 20_000, sessions: 10_000 } as const
/** Files for everything else, such as the probes. */
const reserved = 100

/** The kernel finds this many free ports of an address at once, and then takes some 8 ms for each. */
const mostTcpPorts = 7000

/** How many ports of each protocol are opened if the process may open `files`: the rest is for clients. */
export const portLimits = (files: number): { readonly tcp: number; readonly udp: number } => ({
  tcp: Math.min(mostTcpPorts, Math.floor(files / 4)),
  udp: Math.floor(files / 4),
})

/**
 * How many TCP connections and UDP sessions there may be at once, if the process may open `files` and has `ports` to
 * listen on: a connection needs two files, a session one.
 */
export function relayLimits(files: number, ports: number): { readonly connections: number; readonly sessions: number } {
  const free = Math.max(4, files - ports - reserved)
  const sessions = Math.min(most.sessions, Math.floor(free * 0.55))
  return { sessions, connections: Math.min(most.connections, Math.floor((free - sessions) / 2)) }
}

/** How many files this process may open; Node has raised the limit as far as it may. */
export function openFiles(): number {
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
  return soft === undefined ? Infinity : Number(soft)
}

/** How many ports the agent itself listens on to forward them. */
export function portCount(world: World, files: number): number {
  const { tcp, udp } = relayPairs(world)
  const limits = portLimits(files)
  return Math.min(limits.tcp, tcp.size) + Math.min(limits.udp, udp.size)
}
