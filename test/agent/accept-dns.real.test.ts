import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type Bed, startBed } from '../lab/bed.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { Proxy } from './proxy.ts'
import { SecretBed } from './secret-bed.ts'

let bed: Bed<'proxy'>
beforeAll(async () => {
  bed = await startBed({ hosts: { proxy: { network: 'cluster' } }, cluster: { nodes: 0 } })
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

/** Whether tailscaled takes over the DNS, according to its preferences. */
async function acceptsDns({ host }: Proxy): Promise<boolean> {
  const { stdout } = await host.exec(['tailscale', '--socket=/tmp/tailscaled.sock', 'debug', 'prefs'])
  return (JSON.parse(stdout) as { CorpDNS: boolean }).CorpDNS
}

describe('TS_ACCEPT_DNS takes effect in both directions when the state is in a Secret', () => {
  it.each([
    ['accept-dns', {}],
    ['accept-dns-once', { TS_AUTH_ONCE: 'true' }],
  ])('%s', async (name, mode) => {
    const at = await SecretBed.make(bed, name)
    const env = { TS_USERSPACE: 'true', ...at.env(), ...mode, TS_HOSTNAME: name, TS_AUTHKEY: await bed.authKey() }
    const ids = new Set<string | null>()
    const extra = `--login-server=${bed.controlUrl}`
    for (const [more, wanted] of [
      [{ TS_ACCEPT_DNS: 'true' }, true],
      [{ TS_ACCEPT_DNS: 'false' }, false],
      [{ TS_ACCEPT_DNS: 'true' }, true],
      [{}, false],
      [{ TS_EXTRA_ARGS: `${extra} --accept-dns` }, true],
      [{ TS_ACCEPT_DNS: 'true', TS_EXTRA_ARGS: `--accept-dns=false ${extra}` }, false],
    ] as const) {
      await using proxy = await Proxy.ready(bed, { ...env, ...more })
      await expect.poll(() => acceptsDns(proxy), { message: JSON.stringify(more) }).toBe(wanted)
      ids.add((await proxy.status()).node.id)
    }
    expect(ids.size).toBe(1)
  })
})

describe('the API server’s name is not found', () => {
  // It belongs to the Pod and outlives its containers; each container has its own copy of the rest of /etc.
  const resolvConf = '/run/resolv.conf'
  const container = [
    'unshare',
    '--mount',
    'sh',
    '-c',
    `cp -a /etc /run/etc-$$ && mount --bind /run/etc-$$ /etc && mount --bind ${resolvConf} /etc/resolv.conf && exec "$0" "$@"`,
  ]

  async function start(at: SecretBed, more: Record<string, string>): Promise<Proxy> {
    const env = { ...at.env(), TS_KUBERNETES_READ_API_SERVER_ADDRESS_FROM_ENV: '', TS_HOSTNAME: at.secret, ...more }
    const proxy = await Proxy.start(bed, env, { wrap: container })
    await proxy.process.line(/Startup complete/)
    return proxy
  }

  it('the Pod starts, with hostNetwork and with a resolv.conf that a killed container left', async () => {
    const at = await SecretBed.make(bed, 'left')
    writeFileSync(bed.host('proxy').path(resolvConf), 'nameserver 127.0.0.1\n')
    // Nothing listens there.
    const first = await start(at, { TS_ACCEPT_DNS: 'true', TS_AUTHKEY: await bed.authKey() })
    const { node, tailscaled } = await first.status()
    await expect.poll(() => readFileSync(bed.host('proxy').path(resolvConf), 'utf8')).toContain('100.100.100.100')
    first.process.kill('SIGKILL')
    await first.host.exec(['kill', '-9', String(tailscaled.pid)])
    await first.process.exited

    await using again = await start(at, { TS_ACCEPT_DNS: 'true' })
    expect(again.lines.join('\n')).toMatch(
      /kubernetes\.default\.svc is not found.*asked at https:\/\/10\.98\.0\.1:6443/,
    )
    // Otherwise tailscaled would wait for the name, too.
    expect(again.process.log.join('\n')).not.toContain('error checking Events permissions')
    expect((await again.status()).node.id).toBe(node.id)
    // tailscaled undoes what an earlier one has left there, and writes it again.
    await expect.poll(() => readFileSync(bed.host('proxy').path(resolvConf), 'utf8')).toContain('100.100.100.100')
  })
})
