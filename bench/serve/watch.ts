import type { Bed, HostProcess } from '../../test/lab/bed.ts'
import { program } from '../backend.ts'
import { type Client, textPath } from './site.ts'

/** Seconds, after which the client stops. */
const most = 300

/** The time of day in milliseconds and fractions: the same in all processes. */
export const now = (): number => performance.timeOrigin + performance.now()

/** A client that requests a page of a site all the time. */
export class Watch implements AsyncDisposable {
  readonly #process: HostProcess

  private constructor(process: HostProcess) {
    this.#process = process
  }

  /** Starts the program; it begins with its requests after a signal. */
  static async start(
    bed: Bed<Client>,
    { name, path = textPath }: { readonly name: string; readonly path?: string },
    from: Client = 'client',
  ): Promise<Watch> {
    const settings = JSON.stringify({ name, path, seconds: most })
    const started = await bed.host(from).spawn([process.execPath, program('watch.ts'), settings], {
      name: `watch ${name}`,
      env: { NODE_EXTRA_CA_CERTS: '/etc/lab-ca.pem' },
    })
    await started.line(/^ready$/)
    return new Watch(started)
  }

  begin(): void {
    this.#process.kill('SIGUSR1')
  }

  /** When it first saw a text, given as a pattern. */
  async seen(text: string): Promise<number> {
    const [, at] = await this.#process.line(new RegExp(`^([\\d.]+) ${text}$`), 60_000)
    return Number(at)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop()
  }
}
