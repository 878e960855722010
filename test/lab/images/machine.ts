import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CulvertError } from '../../../lib/errors.ts'
import { run } from '../run.ts'

/** The Debian mirrors of this machine's apt. */
export type Mirrors = { readonly main: string; readonly security: string | undefined }

/** Parses the output of `apt-get indextargets`, an address, a release and a component on each line. */
export function mirrorsIn(listing: string, codename: string): Mirrors | undefined {
  const targets = listing.split('\n').map((line) => line.split(' '))
  const find = (release: string): string | undefined =>
    targets.find(([, name, component]) => name === release && component === 'main')?.[0]
  const main = find(codename)
  return main === undefined ? undefined : { main, security: find(`${codename}-security`) }
}

/** @throws CulvertError `command` when this machine's apt has no mirror of Debian. */
export async function debianMirrors(): Promise<Mirrors> {
  const format = '$(REPO_URI) $(RELEASE) $(COMPONENT)'
  const [{ stdout }, release] = await Promise.all([
    // Without information from package lists, which may not exist.
    run(['apt-get', 'indextargets', '--no-release-info', '--format', format, 'Created-By: Packages']),
    readFile('/etc/os-release', 'utf8'),
  ])
  const codename = /^VERSION_CODENAME=(.*)$/m.exec(release)?.[1] ?? ''
  const mirrors = /^ID=debian$/m.test(release) ? mirrorsIn(stdout, codename) : undefined
  if (mirrors !== undefined) return mirrors
  throw new CulvertError('command', 'images cannot be built: apt is not set up to fetch Debian here', {
    remedy: 'Run it on Debian, with its main archive among the sources of apt',
  })
}

/** The Debian release of images. */
export const suite = 'trixie'

const certificates = '/etc/ssl/certs/ca-certificates.crt'

/** Mount points of a build, over directories that every Debian has, so that none is created in the image. */
const mounts = { sources: '/etc/apt/sources.list.d', config: '/etc/apt/apt.conf.d', npm: '/usr/local/etc' } as const

/**
 * Writes to `into` how this machine's apt and npm fetch packages, and the authorities they trust, and returns the
 * arguments that make this visible in a build but not in the image.
 */
export async function machineVolumes(into: string): Promise<string[]> {
  const [{ main, security }, apt, npm] = await Promise.all([
    debianMirrors(),
    run(['apt-config', 'dump']),
    run(['npm', 'config', 'list', '--json', '--logs-max=0'], { cwd: '/' }),
  ])
  const sources = [
    `deb ${main} ${suite} main`,
    `deb ${main} ${suite}-updates main`,
    ...(security === undefined ? [] : [`deb ${security} ${suite}-security main`]),
  ]
  const acquire = apt.stdout.split('\n').filter((line) => /^Acquire::https?:/.test(line))
  const settings = JSON.parse(npm.stdout) as Record<string, unknown>
  const registry = ['registry', 'proxy', 'https-proxy'].filter((name) => typeof settings[name] === 'string')
  const files = {
    'sources/machine.list': sources,
    'config/machine': [...acquire, `Acquire::https::CaInfo "${mounts.npm}/ca.crt";`],
    'npm/npmrc': [...registry.map((name) => `${name}=${String(settings[name])}`), `cafile=${mounts.npm}/ca.crt`],
  }
  await Promise.all(Object.keys(mounts).map((name) => mkdir(join(into, name))))
  await Promise.all([
    ...Object.entries(files).map(([name, lines]) => writeFile(join(into, name), `${lines.join('\n')}\n`)),
    copyFile(certificates, join(into, 'npm/ca.crt')),
  ])
  return Object.entries(mounts).map(([name, path]) => `--volume=${join(into, name)}:${path}:ro`)
}
