import { existsSync } from 'node:fs'
import { controlUrl } from '../namespaces/addresses.ts'
import { isAlive, type Proc } from '../namespaces/procs.ts'
import { poll } from '../poll.ts'
import type { TailscaledSpec } from '../spec.ts'
import { endedEarly, startDaemon } from './daemon.ts'
import type { Host } from './host.ts'

/** The socket of every tailscaled of a bed, as named inside its host: where the `tailscale` command looks for it. */
export const socket = '/run/tailscale/tailscaled.sock'

/** Runs tailscaled in a host, with its state in /var/lib/tailscale, and returns once it listens. `log` is a file. */
export async function startTailscaled(host: Host, spec: TailscaledSpec, log: string): Promise<Proc> {
  const argv = ['tailscaled', '--statedir=/var/lib/tailscale', `--socket=${socket}`, ...(spec.args ?? [])]
  const daemon = await startDaemon(host.pid, argv, { env: host.env(spec.env ?? {}), log })
  await poll(`tailscaled's socket in ${host.name}`, () => {
    if (!isAlive(daemon)) throw endedEarly(argv, log)
    return existsSync(host.path(socket)) ? true : undefined
  })
  return daemon
}

/** Logs a host in and returns once it is part of the tailnet. */
export async function logIn(host: Host, spec: TailscaledSpec, freshKey: () => Promise<string>): Promise<void> {
  if (spec.up === false) return
  const key = spec.authKey ?? (await freshKey())
  const who = [`--login-server=${controlUrl}`, `--auth-key=${key}`, `--hostname=${spec.hostname ?? host.name}`]
  await host.exec(['tailscale', 'up', ...who, ...(spec.up ?? [])])
}

/** The specification of a host's tailscaled; `true` means the defaults. */
export function tailscaledSpec(wanted: boolean | TailscaledSpec | undefined): TailscaledSpec | undefined {
  if (wanted === undefined || wanted === false) return undefined
  return wanted === true ? {} : wanted
}
