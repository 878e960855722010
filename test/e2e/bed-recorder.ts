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
  readonly process: HostProcess
  /** `host:port` of each of its addresses. */
  readonly addresses: readonly string[]

  private constructor(bed: ApiServerBed['bed'], process: HostProcess, addresses: readonly string[]) {
    this.#bed = bed
    this.process = process
    this.addresses = addresses
  }

  static async start(its: ApiServerBed): Promise<BedRecorder> {
    const { bed } = its
    const started = await its.startRecorder(path)
    const { addresses } = await bed.control.node('robot')
    return new BedRecorder(
      bed,
      started,
      addresses.map((text) => withPort(parseAddress(text)!, 80)),
    )
  }

  /** The recordings that are whole, in no order; `node`: only those that the node of this name has uploaded. */
  async recordings(node?: 'proxy'): Promise<string[]> {
    const below = node === undefined ? '' : (await this.#bed.control.node(node)).stableId
    return this.#files(below, '.cast')
  }

  /** The events of requests so far. */
  async events(): Promise<Event[]> {
    return (await this.#files('events', '.json')).map((text) => JSON.parse(text) as Event)
  }

  async #files(below: string, suffix: string): Promise<string[]> {
    const folder = join(this.#bed.host('robot').path(path), below)
    const names = (await readdir(folder, { recursive: true }).catch(() => [])).filter((name) => name.endsWith(suffix))
    return Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))
  }

  async stop(): Promise<void> {
    await this.process.stop()
  }
}
