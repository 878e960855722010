import type { Host } from '../hosts/host.ts'
import type { HostProcess } from '../hosts/process.ts'
import { isSleeping } from '../namespaces/procs.ts'
import { poll } from '../poll.ts'
import { parsePacket, type Packet } from './packet.ts'

/** A running capture on one device of a host. */
export class Capture {
  readonly #process: HostProcess
  readonly #packets: Packet[] = []

  constructor(process: HostProcess) {
    this.#process = process
    process.output.listen((line, from) => {
      const packet = from === 'stdout' ? parsePacket(line) : undefined
      if (packet !== undefined) this.#packets.push(packet)
    })
  }

  /** The packets captured so far. */
  get packets(): readonly Packet[] {
    return this.#packets
  }

  /** Returns once this many more packets were captured. */
  async more(count: number): Promise<void> {
    const before = this.#packets.length
    await poll(`the capture of ${count} packets`, () => this.#packets.length >= before + count || undefined, 50)
  }

  /** Ends the capture and returns all packets, including those on the wire until now. */
  async stop(): Promise<readonly Packet[]> {
    // At the signal tcpdump ends without reading what the kernel still has for it. It waits when it has read all of
    // that, or until this process has read its output: hence twice.
    let waits = 0
    const hasReadAll = (): true | undefined => {
      waits = isSleeping(this.#process.pid) ? waits + 1 : 0
      return waits === 2 || !this.#process.running || undefined
    }
    await poll(`the end of what ${this.#process.name} has to read`, hasReadAll, 75)
    this.#process.kill('SIGINT')
    await this.#process.exited
    return this.#packets
  }
}

/** Captures packets on `device` of a host that match `filter` (pcap-filter(7)); returns once it is running. */
export async function startCapture(host: Host, device: string, filter = ''): Promise<Capture> {
  const words = filter.split(/\s+/).filter(Boolean)
  const options = ['-n', '-tt', '-l', '-q', '--immediate-mode', '-s', '128', '-B', '4096', '-Z', 'root']
  const child = await host.spawn(['tcpdump', '-i', device, ...options, ...words], {
    name: `capture-${device}`,
    quiet: true,
  })
  const capture = new Capture(child)
  await child.line(/listening on/)
  return capture
}
