import { startBed, type Bed, type BedOptions } from '../test/lab/bed.ts'

/** A client of the tailnet, a backend, and a host for each contestant between them. */
const hosts = {
  client: { network: 'wan', tailscaled: true },
  ours: { network: 'cluster' },
  cached: { network: 'cluster' },
  upstream: { network: 'cluster' },
  backend: { network: 'cluster' },
} as const

export type BenchBed = Bed<keyof typeof hosts>

export const families = ['v4', 'v6'] as const
export type Family = (typeof families)[number]
export const familyTitle = { v4: 'IPv4', v6: 'IPv6' } as const satisfies Record<Family, string>

/**
 * Starts the bed, with a cluster if one is wanted. Tunnels run over IPv4, whatever they carry: by default each chooses
 * a family by itself, and a path over IPv6 would be compared with one over IPv4.
 */
export async function startBenchBed(options: Pick<BedOptions<typeof hosts>, 'cluster'> = {}): Promise<BenchBed> {
  const bed = await startBed({ hosts, ...options })
  await bed.host('client').exec(['ip', '-6', 'address', 'flush', 'dev', 'eth0'])
  return bed
}

/** The backend's address of a family. */
export function backendAddress(bed: BenchBed, family: Family): string {
  const address = bed.host('backend').address[family]
  if (address === undefined) throw new Error(`the backend has no address of ${familyTitle[family]}`)
  return address
}
