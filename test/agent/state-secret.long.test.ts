import { mkdirSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { inspectState } from '../../agent/state-secret/tailscaled-state.ts'
import { ask, type Bed, startBed, startEcho, startTraffic } from '../lab/bed.ts'
import { bundle, nothingLeft, Proxy } from './proxy.ts'
import { SecretBed, defaultVerbs } from './secret-bed.ts'
import { noEntries } from '../lab/vitest.ts'

let bed: Bed<'client' | 'proxy' | 'backend'>
beforeAll(async () => {
  bed = await startBed({ cluster: { nodes: 0 } })
  await startEcho(bed.host('backend'))
})
afterAll(() => bed.down())

const target = { TS_DEST_IP: '10.98.0.11,fd98::11' }

/** Writes a config file, and returns the settings for a login from it. */
function inFile(Hostname: string, AuthKey: string) {
  const directory = '/etc/tsconfig'
  mkdirSync(bed.host('proxy').path(directory), { recursive: true })
  const config = { Version: 'alpha0', Locked: false, ServerURL: bed.controlUrl, Hostname, AuthKey }
  writeFileSync(bed.host('proxy').path(`${directory}/cap-95.hujson`), JSON.stringify(config))
  return { TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR: directory, TS_EXTRA_ARGS: '', TS_HOSTNAME: '' }
}

it.each([
  ['all that is needed', defaultVerbs, /^ok api-server: it answers, and grants what is needed on the Secret "rights"/m],
  ['no patch', ['get', 'update'], /^warning api-server\.noPatch: /m],
  ['no update', ['get', 'patch'], /^error api-server\.rights: the service account may not update the state Secret/m],
] as const)('a check finds which rights an account with %s lacks', async (_name, verbs, line) => {
  const at = await SecretBed.make(bed, 'rights', { verbs })
  const env = { ...at.env(), TS_EXTRA_ARGS: `--login-server=${bed.controlUrl}` }
  const argv = [process.execPath, bundle, 'check', '--preflight']
  const check = async () => (await bed.host('proxy').exec(argv, { env, check: false })).stdout
  await expect.poll(check).toMatch(line)
})

it.each(['up', 'file'])(
  'SIGTERM at 50 random moments, login by %s: exit code 0, the state in the Secret complete or absent, one node',
  async (how) => {
    const name = `stops-${how}`
    const at = await SecretBed.make(bed, name)
    const reusable = await bed.authKey({ reusable: true })
    const env = {
      ...target,
      ...at.env(),
      ...(how === 'up' ? { TS_HOSTNAME: name, TS_AUTHKEY: reusable } : inFile(name, reusable)),
    }
    const nodes = new Set<string>()
    for (let round = 0; round < 50; round += 1) {
      const proxy = await Proxy.start(bed, env)
      await proxy.process.line(/^boot: /)
      const ms = Math.round(Math.random() * 2000)
      await delay(ms)
      proxy.process.kill('SIGTERM')
      expect(await proxy.ended(), `after ${ms} ms`).toMatchObject({ code: 0, reason: '' })
      await nothingLeft(proxy.host, `after ${ms} ms`)
      const texts = Object.entries((await at.texts()) ?? {})
      const verdict = inspectState(new Map(texts.map(([key, text]) => [key, Buffer.from(text)])))
      expect(verdict.kind, `after ${ms} ms`).toMatch(/^(whole|fresh)$/)
      for (const { name: node, stableId } of await bed.control.nodes()) if (node === name) nodes.add(stableId)
    }
    expect(nodes.size).toBe(1)
  },
)

it('the API server killed 10 times and away for a minute, and the Secret edited meanwhile: no message lost, and the Secret restored', async () => {
  const at = await SecretBed.make(bed, 'flapping', { verbs: [...defaultVerbs, 'list', 'watch'] })
  const env = { ...target, ...at.env(), TS_HOSTNAME: 'flapping', TS_AUTHKEY: await bed.authKey() }
  await using proxy = await Proxy.ready(bed, env)
  const before = await at.texts()
  const own = await proxy.own()
  for (const to of [own.v4, own.v6]) {
    // Until the client knows the node and has found its path, what it sends is lost.
    await expect.poll(() => ask(bed.host('client'), { to, protocol: 'udp' }).catch(String)).toHaveProperty('host')
  }
  const traffic = await Promise.all(
    [own.v4, own.v6].flatMap((to) =>
      (['tcp', 'udp'] as const).map((protocol) =>
        startTraffic(bed.host('client'), {
          to,
          protocol,
          duration: 600_000,
          count: 100_000,
          every: 10,
          patience: 5000,
        }),
      ),
    ),
  )
  const server = bed.cluster.component('kube-apiserver')
  for (let round = 0; round < 10; round += 1) {
    await server.kill()
    await delay(Math.random() * 2000)
    expect((await proxy.status()).ready).toBe(true)
    await server.start()
    await at.edit({ device_ips: `[${round}]`, device_id: null })
  }
  await expect.poll(() => at.texts()).toEqual(before)
  // Now away for a minute.
  await server.kill()
  await proxy.until(({ checks }) => checks['state-secret']?.state === 'failing')
  await delay(60_000)
  expect((await proxy.status()).ready).toBe(true)
  await server.start()
  await at.edit({ device_fqdn: 'other' })
  await expect.poll(() => at.texts()).toEqual(before)
  await proxy.until(({ checks }) => checks['state-secret']?.state === 'ok')
  for (const flow of traffic) {
    const report = await flow.stop()
    expect(report).toMatchObject({ lost: 0, errors: noEntries })
    expect(report).not.toHaveProperty('broken')
  }
})
