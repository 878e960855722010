import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tailscaleVersion } from '../../wire/capability-version.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { readArchive, type ImageConfig } from '../lab/images/archive.ts'
import { buildImage, ownArch, type Image } from '../lab/images/image.ts'
import { run } from '../lab/run.ts'
import { Unpacked } from './unpacked.ts'

let image: Image
let config: ImageConfig
let files: Unpacked
/** The root of the image's files. */
let root: string
beforeAll(async () => {
  image = await buildImage()
  config = (await readArchive(image.archive)).config
  files = await Unpacked.of(image.digest)
  root = files.root
})
afterAll(() => files[Symbol.asyncDispose]())

/** What a program of the image prints. */
const inside = async (...argv: string[]): Promise<string> => {
  const { stdout, stderr, exitCode } = await files.run(argv)
  expect(exitCode, stderr).toBe(0)
  return stdout + stderr
}

test.each([
  ['sh', ['-c', 'echo there'], /^there/],
  ['sysctl', ['--version'], /procps/],
  ['mknod', ['--version'], /coreutils/],
  ['tailscale', ['version'], tailscaleVersion],
  ['tailscaled', ['--version'], tailscaleVersion],
  ['nft', ['--version'], /nftables v1\./],
  ['iptables', ['--version'], /nf_tables/],
  ['ip6tables', ['--version'], /nf_tables/],
  ['iptables-legacy', ['--version'], /legacy/],
  ['ip6tables-legacy', ['--version'], /legacy/],
  ['iptables-restore', ['--version'], /nf_tables/],
  ['conntrack', ['--version'], /conntrack v/],
  ['ip', ['-V'], /iproute2/],
  ['node', ['--version'], /^v24\./],
  ['culvert', ['version'], packageJson.version],
  ['culvert', ['help'], /^Usage: culvert /],
  ['containerboot', ['version'], packageJson.version],
  ['culvert', ['check-image'], /^$/],
])('%s %j runs', async (program, args, output) => {
  expect(await inside(program, ...args)).toMatch(output)
})

test('it has the licence of each bundled package', async () => {
  const notices = await readFile(join(root, 'usr/local/lib/culvert/NOTICES'), 'utf8')
  const elsewhere = /^(?:@(?:kubernetes|aws-sdk)\/|asciinema-player$)/
  const bundled = Object.keys(packageJson.dependencies).filter((name) => !elsewhere.test(name))
  for (const name of bundled) expect(notices).toMatch(new RegExp(`^${name}$`, 'm'))
})

test('it has what draws for culvert ruleset --svg', async () => {
  const script =
    'const { drawn } = await import("/usr/local/lib/culvert/svg.js"); console.log(await drawn("graph { a }"))'
  expect(await inside('node', '--input-type=module', '--eval', script)).toMatch(/<svg [\s\S]*>a<\/text>/)
})

test('the agent is not compiled again', async () => {
  expect(await inside('env', 'NODE_DEBUG_NATIVE=COMPILE_CACHE', 'culvert', 'version')).toMatch(/agent\.js was accepted/)
})

test('it trusts the authorities that Debian trusts, and no others', async () => {
  const bundle = await readFile(join(root, 'etc/ssl/certs/ca-certificates.crt'), 'utf8')
  const list = await readFile(join(root, 'etc/ca-certificates.conf'), 'utf8')
  expect(bundle.match(/BEGIN CERTIFICATE/g)).toHaveLength(list.match(/^mozilla\//gm)!.length)
})

test('what is not needed is left out', async () => {
  for (const name of ['npm', 'npx', 'yarn', 'corepack'])
    expect(await inside('sh', '-c', `command -v ${name} || :`)).toBe('')
  const empty = ['usr/share/man', 'usr/share/locale', 'var/lib/apt/lists', 'var/cache', 'var/log', 'root', 'tmp', 'src']
  const filesIn = async (folder: string): Promise<string[]> =>
    (await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch(() => []))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
  for (const folder of empty)
    expect((await filesIn(folder)).filter((file) => !/\/\.(bashrc|profile)$/.test(file))).toEqual([])
  expect((await filesIn('usr/share/doc')).filter((file) => !file.endsWith('/copyright'))).toEqual([])
})

test('it contains nothing of the machine that built it', async () => {
  for (const folder of ['etc/apt/sources.list.d', 'usr/local/etc'])
    expect(await readdir(join(root, folder))).toEqual([])
  expect(await readdir(join(root, 'etc/apt/apt.conf.d'))).not.toContain('machine')
  expect(existsSync(join(root, 'etc/apt/sources.list'))).toBe(false)
  for (const file of ['etc/hostname', 'etc/hosts', 'etc/resolv.conf']) {
    expect(await readFile(join(root, file), 'utf8').catch(() => ''), file).toBe('')
  }
  // Layers keep what a later one removes, so all bytes are searched.
  for (const trace of ['cafile=', 'Acquire::https::CaInfo "', '_authToken', 'registry=http']) {
    const { exitCode } = await run(['grep', '--quiet', '--text', '--fixed-strings', trace, image.archive], {
      check: false,
    })
    expect(exitCode, trace).toBe(1)
  }
  expect(config.config.Env).toEqual([expect.stringMatching(/^PATH=/)])
})

test('its labels describe it, and it runs the agent', async () => {
  expect(config.config.Labels).toMatchObject({
    'org.opencontainers.image.title': 'Culvert agent',
    'org.opencontainers.image.description': expect.stringContaining('tailscaled'),
    'org.opencontainers.image.licenses': packageJson.license,
    'org.opencontainers.image.version': packageJson.version,
  })
  // Without a Cmd, arguments are only what the user gives.
  expect(config.config.Entrypoint).toEqual(['/usr/local/lib/culvert/entrypoint'])
  expect(config.config.Cmd ?? []).toEqual([])
  expect(config.config.Healthcheck?.Test).toEqual(['CMD', '/usr/local/lib/culvert/healthcheck'])
  expect(config.architecture).toBe(ownArch)
})
