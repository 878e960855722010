import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAddress, withPort } from '../../lib/address.ts'
import type { HostProcess } from '../lab/hosts/process.ts'
import type { ApiServerBed } from './apiserver-bed.ts'

/** Where it keeps what it gets, in its host. */
const path = '/tmp/recordings'

export type Event = Readonly<Record<'request' | 'kubernetes' | 'source', Readonly<Record<string, unknown>>>>

/** A recorder on a device of the tailnet. */
export class BedRecorder {
  readonly #bed: ApiServerBed['bed']
  readonly #process: HostProcess
  /** `host:port` of each of its addresses. */
  readonly addresses: readonly string[]

  private constructor(bed: ApiServerBed['bed'], process: HostProcess, addresses: readonly string[]) {
    this.#bed = bed
    this.#process = process
    this.addresses = addresses
  }

  static async start({ bed }: ApiServerBed): Promise<BedRecorder> {
    const program = join(import.meta.dirname, 'programs', 'recorder.ts')
    const started = await bed.host('robot').spawn([process.execPath, program, path], { name: 'recorder' })
    await started.line(/^ready/)
    const { addresses } = await bed.control.node('robot')
    return new BedRecorder(
      bed,
      started,
      addresses.map((text) => withPort(parseAddress(text)!, 80)),
    )
  }

  /** The recordings that are whole, in no order. */
  async recordings(): Promise<string[]> {
    const names = (await readdir(this.#inside())).filter((name) => name.endsWith('.cast'))
    return Promise.all(names.map((name) => readFile(this.#inside(name), 'utf8')))
  }

  /** The events of requests so far. */
  async events(): Promise<Event[]> {
    const text = await readFile(this.#inside('events'), 'utf8')
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Event)
  }

  #inside(name = ''): string {
    return join(this.#bed.host('robot').path(path), name)
  }

  async stop(): Promise<void> {
    await this.#process.stop()
  }
}
