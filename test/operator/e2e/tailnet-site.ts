import { expect } from 'vitest'
import type { Page } from '../../agent/programs/visit.ts'
import { visitFrom } from '../../agent/serving.ts'
import { nodeAddresses } from '../../e2e/cluster.ts'
import { ask, type Bed } from '../../lab/bed.ts'
import { domain } from '../../lab/control-server.ts'

const families = ['v4', 'v6'] as const
type Family = (typeof families)[number]
type Asked = { readonly tls?: boolean; readonly family?: Family }

/** A node of the tailnet as its clients see it. */
export class TailnetSite {
  readonly bed: Bed
  readonly fqdn: string
  readonly #name: string

  constructor(bed: Bed, name: string) {
    this.bed = bed
    this.#name = name
    this.fqdn = `${name}.${domain}`
  }

  /** What a client gets for a path, or why it gets nothing; certificates are verified. */
  async get(path: string, { tls = true, family = 'v4' }: Asked = {}): Promise<Page | string> {
    const to = (await nodeAddresses(this.bed, this.#name))[family]
    return visitFrom(this.bed.host('client'), { name: this.fqdn, to, port: tls ? 443 : 80, tls, path })
  }

  /** What somebody in the internet gets by Funnel, or why nothing. The client needs the grant of Funnel's relays. */
  async byFunnel(): Promise<Page | string> {
    const client = this.bed.host('client')
    const { stdout } = await client.exec(['tailscale', 'status', '--json'])
    const { Peer: peers } = JSON.parse(stdout) as { Peer: Record<string, { DNSName: string; PeerAPIURL?: string[] }> }
    const funnel = Object.values(peers).find(({ DNSName }) => DNSName === `${this.fqdn}.`)?.PeerAPIURL?.[0]
    if (funnel === undefined) return 'no peer API'
    return visitFrom(client, { name: this.fqdn, to: '', port: 443, tls: true, funnel })
  }

  /** Waits until clients of both families get an answer with this text. */
  async serves(text: string, path = '/'): Promise<void> {
    for (const family of families) {
      const page = { status: 200, body: expect.stringContaining(text) }
      await expect.poll(() => this.get(path, { family }).catch(String)).toMatchObject(page)
    }
  }

  /** Waits until this host answers on a port, to clients of both families; or nobody, with this error. */
  async reaches(answer: string, port: number, protocol: 'tcp' | 'udp' = 'tcp'): Promise<void> {
    for (const family of families) {
      const once = async (): Promise<string> => {
        const to = (await nodeAddresses(this.bed, this.#name))[family]
        return (await ask(this.bed.host('client'), { to, port, protocol, patience: 5000 })).host
      }
      await expect.poll(() => once().catch(String)).toContain(answer)
    }
  }
}
