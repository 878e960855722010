import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { ask, askAll, startEcho } from '../lab/traffic/traffic.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import type { Talk, Talked } from './programs/talk.ts'
import { onDisk, Proxy } from './proxy.ts'
import { program } from './serving.ts'

/** The ports of programs/peculiar.ts. */
const ports = { answersAtEnd: 9000, resets: 9001, hangs: 9002 } as const

let bed: Bed<'client' | 'proxy' | 'backend' | 'silent'>
let backend: { v4: string; v6: string }
beforeAll(async () => {
  const cluster = { network: 'cluster' } as const
  const client = { network: 'wan', tailscaled: true } as const
  bed = await startBed({ hosts: { client, proxy: cluster, backend: cluster, silent: cluster } })
  backend = bed.host('backend').address as typeof backend
  await startEcho(bed.host('backend'))
  const peculiar = await bed
    .host('backend')
    .spawn([process.execPath, program('peculiar.ts'), String(ports.answersAtEnd)])
  for (const port of Object.values(ports)) await peculiar.line(new RegExp(`listening on ${port}`))
  const drop = 'table inet silent { chain input { type filter hook input priority 0; tcp dport 7000 drop; }; }'
  await bed.host('silent').exec(['nft', '-f', '-'], { input: drop })
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const ways = [
  ['by tailscaled alone', () => backend.v4],
  ['by the relay', () => `${backend.v4},${backend.v6}`],
] as const

async function start(targets: string): Promise<Proxy> {
  const proxy = await Proxy.start(bed, {
    TS_USERSPACE: 'true',
    TS_AUTHKEY: await bed.authKey(),
    TS_DEST_IP: targets,
    CULVERT_DEST_PORTS: 'tcp/7000,tcp/9000-9002',
  })
  await proxy.until(({ ready }) => ready)
  return proxy
}

async function talk(proxy: Proxy, port: number, more: Partial<Talk> = {}): Promise<Talked> {
  const { v4: to } = await proxy.own()
  const settings: Talk = { to, port, bytes: 1000, end: false, patience: 20_000, ...more }
  const { stdout } = await bed.host('client').exec([process.execPath, program('talk.ts'), JSON.stringify(settings)])
  return JSON.parse(stdout) as Talked
}

/** MiB. */
const memoryOf = ({ process: { pid } }: Proxy): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1024

it.each(ways)(
  '%s, a connection ends with its first half: tailscaled does that to all that it serves',
  async (_how, targets) => {
    await using proxy = await start(targets())
    // Otherwise it would be '1000 bytes'.
    expect(await talk(proxy, ports.answersAtEnd, { end: true })).toMatchObject({ received: '', how: 'end' })
    expect(await talk(proxy, ports.answersAtEnd, { patience: 1000 })).toMatchObject({ how: 'silence' })
  },
)

it.each(ways)(
  '%s, a backend that resets ends its connection, and one that hangs holds up only its own',
  async (_how, targets) => {
    await using proxy = await start(targets())
    // tailscaled makes an end of a reset.
    expect(await talk(proxy, ports.resets)).toMatchObject({ received: 'half an ans', how: 'end' })

    const before = memoryOf(proxy)
    const bytes = 50_000_000
    const hanging = Array.from({ length: 4 }, () => talk(proxy, ports.hangs, { bytes, patience: 3000 }))
    expect(await ask(bed.host('client'), { to: (await proxy.own()).v4, protocol: 'tcp' })).toMatchObject({
      host: 'backend',
    })
    for (const { how, taken } of await Promise.all(hanging)) {
      expect(how).toBe('silence')
      expect(taken).toBeLessThan(bytes)
    }
    expect(memoryOf(proxy) - before).toBeLessThan(bytes / 2 ** 20)
  },
)

it('a backend that does not accept connections costs them a delay, and the next one gets them', async () => {
  await using proxy = await start(`${backend.v4},${bed.host('silent').address.v4}`)
  const { v4: to } = await proxy.own()
  // Half of them try the silent one first.
  const answers = await askAll(
    bed.host('client'),
    Array.from({ length: 20 }, () => ({ to, protocol: 'tcp' as const })),
  )
  expect(answers.map((answer) => (answer instanceof Error ? answer.message : answer.host))).toEqual(
    answers.map(() => 'backend'),
  )
})

it.each([
  ['alone', (own: string) => own, /ECONNREFUSED/],
  ['beside a backend', (own: string) => `${own},${backend.v4}`, undefined],
])('no connection goes round through the node itself as a target, %s', async (_how, targets, refused) => {
  const env = {
    ...onDisk,
    TS_AUTHKEY: await bed.authKey(),
    CULVERT_DEST_PORTS: 'tcp/7000',
    CULVERT_PROXY_PROTOCOL: '2',
  }
  const first = await Proxy.start(bed, { ...env, TS_DEST_IP: backend.v4 })
  await first.until(({ ready }) => ready)
  const { v4: to } = await first.own()
  await first[Symbol.asyncDispose]()

  await using proxy = await Proxy.start(bed, { ...env, TS_DEST_IP: targets(to) })
  await proxy.process.line(/is this node’s own address, from which connections would come back/)
  await proxy.until(({ ready }) => ready)
  const { pid } = (await proxy.status()).tailscaled
  const files = async () => (await proxy.host.exec(['ls', `/proc/${pid}/fd`])).stdout.split('\n').length
  const before = await files()
  const answers = await askAll(
    bed.host('client'),
    Array.from({ length: 10 }, () => ({ to, protocol: 'tcp' as const })),
  )
  if (refused !== undefined) expect(answers.map(String)).toEqual(answers.map(() => expect.stringMatching(refused)))
  expect(await files()).toBeLessThan(before + 100)
})
