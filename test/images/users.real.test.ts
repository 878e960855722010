import { readdir, readlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { close, listen, serve } from '../../lib/http-server.ts'
import { withoutNftables } from '../lab/hosts/without-nftables.ts'
import { buildImage } from '../lab/images/image.ts'
import { coldBuild, Unpacked } from './unpacked.ts'

let files: Unpacked
beforeAll(async () => {
  files = await Unpacked.of((await buildImage()).digest)
}, coldBuild)
afterAll(() => files[Symbol.asyncDispose]())

describe('what health checks and scripts of users call', () => {
  test.each(['wget', 'nslookup', 'ping', 'ash', 'netstat', 'ifconfig', 'vi'])('%s is there', async (program) => {
    expect((await files.run([program, '--help'])).stderr).toMatch(/^BusyBox/)
  })

  test('nothing of busybox stands before or behind another program of that name', async () => {
    const folders = ['usr/local/sbin', 'usr/local/bin', 'usr/sbin', 'usr/bin']
    const names = (await Promise.all(folders.map((folder) => readdir(join(files.root, folder))))).flat()
    const twice = names.filter((name, index) => names.indexOf(name) !== index)
    const links = await Promise.all(
      folders.flatMap((folder) => twice.map((name) => readlink(join(files.root, folder, name)).catch(() => undefined))),
    )
    expect(links).not.toContain('/usr/bin/busybox')
    expect(names).toContain('wget')
  })

  test.each([
    [200, 0],
    [503, 1],
  ])('wget and nc tell whether a server is well that answers %i', async (status, exitCode) => {
    const server = await listen(serve({ '/healthz': () => ({ status, body: '' }) }), { host: '127.0.0.1', port: 0 })
    try {
      const { port } = server.address() as { port: number }
      const wget = ['wget', '--quiet', '--tries=1', '--spider', `http://127.0.0.1:${port}/healthz`]
      expect((await files.run(wget)).exitCode).toBe(exitCode)
      expect((await files.run(['nc', '-z', '127.0.0.1', String(port)])).exitCode).toBe(0)
    } finally {
      await close(server)
    }
  })
})

describe('the image’s health check', () => {
  /** In the agent's place: answers as it does, on a socket that comes or not. */
  const standIn = `
    const status = Number(process.env.READY)
    if (status > 0) require('http').createServer((request, response) => {
      response.writeHead(status, { 'content-length': 10 }).end(request.url.padEnd(10))
    }).listen('/tmp/culvert.sock')
    setInterval(() => {}, 1000)`
  beforeAll(() => files.replaceAgent(standIn.replace('require(', `(await import('module')).createRequire('/')(`)))

  const check = '/usr/local/lib/culvert/healthcheck; echo $?'
  // Not this script itself, whose text has the pattern.
  const started = 'until pgrep -f culvert/agent[.]js > /dev/null; do sleep 0.05; done'
  const listening = 'until [ -S /tmp/culvert.sock ]; do sleep 0.05; done'
  const daemon =
    'tailscaled --tun=userspace-networking --state=mem: --statedir=/tmp > /tmp/log 2>&1 & until [ -S /run/tailscale/tailscaled.sock ]; do sleep 0.05; done'
  test.each([
    ['the agent says that it is ready', '200', `containerboot & ${listening}`, /^\/readyz +0$/],
    ['the agent says that it is not ready', '503', `containerboot --x=1 & ${listening}`, /^\/readyz +1$/],
    ['the agent has not begun to listen', '0', `containerboot & ${started}`, /^1$/],
    ['no agent and no tailscaled runs', '0', ':', /^0$/],
    ['tailscaled alone runs and is not connected', '0', daemon, /^Logged out\.\n(.*\n)*1$/],
  ])('%s', async (_what, ready, before, output) => {
    const emptied = 'rm -rf /tmp/culvert.sock /run/tailscale'
    const { stdout } = await files.run(['sh', '-c', `${emptied}; ${before}; ${check}`], { READY: ready })
    expect(stdout.replace(/\/readyz +/, '/readyz ')).toMatch(output)
  })
})

describe('iptables', () => {
  const names = ['iptables', 'ip6tables'].flatMap((name) => [name, `${name}-save`, `${name}-restore`])
  /** As root of a network of its own. */
  const alone = (...argv: string[]) => files.run(['unshare', '--net', '--', ...argv])
  const version = (name: string) => [name, '--version']

  test.each(names)('%s is over nftables where the kernel has that', async (name) => {
    expect((await alone(...version(name))).stdout).toMatch(/^ip6?tables.*\(nf_tables\)$/)
    expect((await alone(`/usr/sbin/${name}`, '--version')).stdout).toMatch(/nf_tables/)
  })

  test.each(names)('%s is the legacy variant where the kernel has no nf_tables', async (name) => {
    expect((await alone(...withoutNftables(...version(name)))).stdout).toMatch(/^ip6?tables.*\(legacy\)$/)
    expect((await alone(...withoutNftables(`/usr/sbin/${name}`, '--version'))).stdout).toMatch(/legacy/)
  })

  test('its rules are what it was given, also on standard input', async () => {
    await writeFile(join(files.root, 'rules'), '*nat\n-A POSTROUTING -m mark --mark 0x4 -j MASQUERADE\nCOMMIT\n')
    const script = ['sh', '-c', 'iptables-restore < /rules && iptables -A INPUT -j ACCEPT && iptables-legacy-save']
    const rules = (await alone(...withoutNftables(...script))).stdout
    expect(rules).toMatch(/^-A POSTROUTING -m mark --mark 0x4 -j MASQUERADE$/m)
    expect(rules).toMatch(/^-A INPUT -j ACCEPT$/m)
    expect((await alone('sh', '-c', script[2]!)).stdout).not.toMatch(/MASQUERADE|^-A INPUT/m)
  })

  test('who may not ask the kernel is told so, and gets no other variant', async () => {
    const ran = await alone('setpriv', '--reuid=1000', '--clear-groups', 'iptables', '-S')
    expect(ran).toMatchObject({ stderr: expect.stringMatching(/\(nf_tables\).*Permission denied/) })
  })
})
