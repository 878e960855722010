import { setTimeout as delay } from 'node:timers/promises'
import type { Host } from '../hosts/host.ts'
import type { HostProcess } from '../hosts/process.ts'
import { poll } from '../poll.ts'
import { parsePacket, type Packet } from './packet.ts'

/** A capture under way on one device of a host. */
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

  /** What was captured so far. */
  get packets(): readonly Packet[] {
    return this.#packets
  }

  /** Returns once so many more packets were captured. */
  async more(count: number): Promise<void> {
    const before = this.#packets.length
    await poll(`the capture of ${count} packets`, () => this.#packets.length >= before + count || undefined, 50)
  }

  /** Ends the capture and returns all of it, what was on the wire until now included. */
  async stop(): Promise<readonly Packet[]> {
    // The kernel hands packets over in blocks, the oldest of which may be this old.
    await delay(150)
    this.#process.kill('SIGINT')
    await this.#process.exited
    return this.#packets
  }
}

/** Captures on `device` of a host what matches `filter` (pcap-filter(7)); returns once it is listening. */
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
