import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A way for this process to a server within a bed. */
export class Way implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'culvert-'))
  readonly #ends: (() => unknown)[] = [() => rmSync(this.#folder, { recursive: true })]
  /** Each connection to this unix socket is passed on. */
  readonly socketPath = join(this.#folder, 'way.sock')
  /** The same on the loopback device, with its port. */
  address = ''

  /** `enter` is the beginning of a command that runs the rest where the server can be reached. */
  static async open(enter: readonly string[], { hostname, port }: { hostname: string; port: string }): Promise<Way> {
    const way = new Way()
    const { socketPath } = way
    const program = join(import.meta.dirname, 'programs/relay.ts')
    // It ends with this process, however that ends.
    const tied = ['setpriv', '--pdeathsig', 'KILL', '--']
    const [command, ...args] = [...tied, ...enter, ...tied, process.execPath, program, socketPath, hostname, port]
    const relay = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    way.#ends.push(() => relay.kill())
    await once(relay.stdout, 'data')
    const tcp = createServer((near) => {
      const far = connect(socketPath)
      near.pipe(far).pipe(near)
      near.on('error', () => far.destroy())
      far.on('error', () => near.destroy())
    })
    await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve))
    way.#ends.push(() => tcp.close())
    way.address = `127.0.0.1:${(tcp.address() as AddressInfo).port}`
    return way
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.toReversed()) await end()
  }
}
