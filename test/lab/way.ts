import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

type End = { readonly path: string } | { readonly host: string; readonly port: number }

/**
 * Passes on connections `from` one end of a way `to` another; both are where the command `enter` runs the rest of its
 * arguments, except that sockets are everywhere. Gives what ends it, and returns when its port is free again.
 */
export async function relay(enter: readonly string[], from: End, to: End): Promise<() => Promise<void>> {
  const program = join(import.meta.dirname, 'programs/relay.ts')
  // It ends with this process, however that ends.
  const tied = ['setpriv', '--pdeathsig', 'KILL', '--']
  const ends = [from, to].map((end) => JSON.stringify(end))
  const [command = '', ...args] = [...tied, ...enter, ...tied, process.execPath, program, ...ends]
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  await once(child.stdout, 'data')
  return async () => {
    child.kill()
    await ended
  }
}

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
    way.#ends.push(await relay(enter, { path: socketPath }, { host: hostname, port: Number(port) }))
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
