import { join } from 'node:path'
import { acmeEnv, type AcmeSpec, startAcme, trust } from './acme/start.ts'
import { ControlClient } from './control-client.ts'
import { startControl } from './control-server.ts'
import { pathsOf, updateRecord, type BedRecord, type HostRecord } from './namespaces/record.ts'
import { Host } from './hosts/host.ts'
import { logIn, startTailscaled, tailscaledSpec } from './hosts/tailscaled.ts'
import type { Programs } from './ready.ts'

export type TailnetOptions = {
  readonly programs: Programs
  /** Runs a certificate authority, and lets every tailscaled get certificates from it. */
  readonly acme: AcmeSpec | undefined
  /** Resolves when the hosts are on their networks. */
  readonly connected: Promise<unknown>
  /** Resolves when the hosts have their files. */
  readonly filesMounted: Promise<unknown>
}

/** Starts a bed's control server and each requested tailscaled; returns the hosts once these are logged in. */
export async function startTailnet(record: BedRecord, options: TailnetOptions): Promise<HostRecord[]> {
  const { programs, acme, connected, filesMounted } = options
  const paths = pathsOf(record.name)
  const bed = record.holder!.pid
  const started = connected.then(() => startControl(bed, paths, programs.control))
  const [control, authority] = await Promise.all([
    started,
    acme && started.then(() => startAcme(bed, paths, programs.pebble, acme)),
    filesMounted,
  ])
  await updateRecord(record.name, (now) => ({
    ...now,
    control,
    ...(authority && { acme: authority.process, others: { ...now.others, acme: authority.gateway } }),
  }))

  const client = new ControlClient(paths.controlSocket)
  const directories = Object.values(programs)
  return await Promise.all(
    record.hosts.map(async (host): Promise<HostRecord> => {
      if (authority !== undefined) await trust(host.holder.pid, authority)
      const spec = tailscaledSpec(host.spec.tailscaled)
      if (spec === undefined) return host
      const real = new Host(host, directories, acme ? acmeEnv : {})
      const daemon = await startTailscaled(real, spec, join(paths.logs, `${host.name}.tailscaled.log`))
      await logIn(real, spec, async () => (await client.createKey({ approved: true })).key)
      return { ...host, tailscaled: daemon }
    }),
  )
}
