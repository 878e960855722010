import { join } from 'node:path'
import { acmeEnv, type AcmeSpec, startAcme, trust } from './acme/start.ts'
import { ControlClient } from './control-client.ts'
import { startControl } from './control-server.ts'
import { joinTailnet } from './joined.ts'
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
  const { tailnet } = record
  if (tailnet !== undefined) {
    await Promise.all([connected, filesMounted])
    const others = await joinTailnet(tailnet, bed, paths)
    await updateRecord(record.name, (now) => ({ ...now, others: { ...now.others, ...others } }))
    return await startNodes(record, { programs, environment: {}, control: pathsOf(tailnet).controlSocket })
  }
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

  if (authority !== undefined) await Promise.all(record.hosts.map(({ holder }) => trust(holder.pid, authority)))
  const environment = acme ? acmeEnv : {}
  return await startNodes(record, { programs, environment, control: paths.controlSocket })
}

type NodeOptions = {
  readonly programs: Programs
  /** Of each tailscaled. */
  readonly environment: Readonly<Record<string, string>>
  /** The socket of the control server. */
  readonly control: string
}

/** Starts each requested tailscaled, and logs it in. */
async function startNodes(record: BedRecord, { programs, environment, control }: NodeOptions): Promise<HostRecord[]> {
  const paths = pathsOf(record.name)
  const client = new ControlClient(control)
  const directories = Object.values(programs)
  return await Promise.all(
    record.hosts.map(async (host): Promise<HostRecord> => {
      const spec = tailscaledSpec(host.spec.tailscaled)
      if (spec === undefined) return host
      const real = new Host(host, directories, environment)
      const daemon = await startTailscaled(real, spec, join(paths.logs, `${host.name}.tailscaled.log`))
      await logIn(real, spec, async () => (await client.createKey({ approved: true })).key)
      return { ...host, tailscaled: daemon }
    }),
  )
}
