import type { Bed } from '../bed.ts'
import { byFamily } from './backend.ts'
import { startAndAwait } from './daemon.ts'

/** Runs the agent in the proxy host, forwarding to `targets`; returns its tailnet addresses once it is ready. */
export async function startAgent(
  bed: Bed<'client' | 'proxy' | 'backend'>,
  bundle: string,
  targets: readonly string[],
  note: (detail: string) => void,
): Promise<{ v4: string; v6: string }> {
  const host = bed.host('proxy')
  const env = {
    TS_USERSPACE: 'false',
    TS_DEST_IP: targets.join(','),
    TS_AUTHKEY: await bed.authKey(),
    TS_HOSTNAME: host.name,
    TS_STATE_DIR: '/var/lib/tailscale',
    TS_ENABLE_HEALTH_CHECK: 'true',
    TS_EXTRA_ARGS: `--login-server=${bed.controlUrl}`,
  }
  const argv = [process.execPath, bundle]
  const line = /Startup complete, waiting for shutdown signal/
  await startAndAwait(bed.name, host, { name: 'agent', argv, env, line }, note)
  return byFamily((await bed.control.node(host.name)).addresses)
}
