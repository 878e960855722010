import type { Page } from '../../agent/programs/visit.ts'
import { visitFrom } from '../../agent/serving.ts'
import { nodeAddresses } from '../../e2e/cluster.ts'
import type { Bed, Host } from '../../lab/bed.ts'
import { domain } from '../../lab/control-server.ts'

/** A session as the list of a page has it: its key, and whether it goes on or was cut off. */
export type Listed = { readonly key: string; readonly note: string }

/** The web page of one replica of a Recorder, as a device of the tailnet sees it. */
export class RecorderPage {
  readonly #bed: Bed
  readonly #node: string

  constructor(bed: Bed, node: string) {
    this.#bed = bed
    this.#node = node
  }

  /** What a client gets for a path, or why it gets nothing; certificates are verified. */
  async get(client: Host, path: string): Promise<Page | string> {
    const { v4: to } = await nodeAddresses(this.#bed, this.#node)
    return visitFrom(client, { name: `${this.#node}.${domain}`, to, port: 443, tls: true, path })
  }

  /** The sessions with these words in their commands; none while the page cannot be had. */
  async listed(client: Host, command: string): Promise<readonly Listed[]> {
    const page = await this.get(client, `/?${new URLSearchParams({ command }).toString()}`)
    const rows = typeof page === 'string' ? [] : page.body.split('<tr>').slice(2)
    return rows.map((row) => ({
      key: /href="\/see\/([^"]+)"/.exec(row)?.[1] ?? '',
      note: /<em>([^<]*)<\/em>/.exec(row)?.[1] ?? '',
    }))
  }

  /** What a session has shown, as it is played; empty while that cannot be had. */
  async shown(client: Host, key: string): Promise<string> {
    const page = await this.get(client, `/file/${key}`)
    return typeof page === 'string' || page.status !== 200 ? '' : shownIn(page.body)
  }
}

/** What a recording shows: all of its output. */
const shownIn = (cast: string): string =>
  cast
    .split('\n')
    .slice(1, -1)
    .map((line) => JSON.parse(line) as [number, string, string])
    .flatMap(([, kind, text]) => (kind === 'o' ? [text] : []))
    .join('')
