import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Host } from '../lab/bed.ts'
import type { Page, Visit } from './programs/visit.ts'
import type { Proxy } from './proxy.ts'

/** Where the serve config is in the agent's host. */
export const serveFile = '/tmp/serve/serve-config.json'

/** The command line of `tailscale` in the agent's host. */
export const tailscale = ['tailscale', '--socket=/tmp/tailscaled.sock'] as const

/** The path of a test program. */
export const program = (of: string): string => join(import.meta.dirname, 'programs', of)

/** Puts the file in the place of the one before, whole, as an editor or a mount does. */
export function mountServeConfig(host: Host, config: object | string): void {
  const path = host.path(serveFile)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.new`, typeof config === 'string' ? config : JSON.stringify(config))
  renameSync(`${path}.new`, path)
}

/** What a client gets, or why it gets nothing. */
export async function visitFrom(client: Host, visit: Visit): Promise<Page | string> {
  const { stdout, stderr, exitCode } = await client.exec(
    [process.execPath, program('visit.ts'), JSON.stringify(visit)],
    { env: { NODE_EXTRA_CA_CERTS: '/etc/lab-ca.pem' }, check: false },
  )
  return exitCode === 0 ? (JSON.parse(stdout) as Page) : (/\b[A-Z]+[A-Z_]{5,}\b|no answer/.exec(stderr)?.[0] ?? stderr)
}

/** What tailscaled itself says that it serves. */
export async function servedBy({ host }: Proxy): Promise<object> {
  const { stdout } = await host.exec([...tailscale, 'serve', 'status', '--json'])
  return JSON.parse(stdout) as object
}
