import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ApiServerBed, Mode } from './apiserver-bed.ts'
import { binding, serviceAccount } from './rights.ts'

/** The environment of a client on alice's device, by which it may do everything. */
type Environment = Readonly<Record<string, string>>

/** A program that uses a client of Kubernetes; it gets the name of a Pod, and that of a ConfigMap to be made. */
export type Program = {
  readonly argv: readonly string[]
  readonly env?: Environment
  readonly more?: readonly string[]
}

export const clientNode: Program = {
  argv: [process.execPath, join(import.meta.dirname, 'programs/client-node.ts')],
}

let made = 0

/** Tests that a program finds a Pod, watches, runs commands with input and exit code, and reaches a port. */
export function testProgram(its: () => ApiServerBed, name: string, mode: Mode, get: () => Promise<Program>): void {
  test(`${name}, mode ${mode}: list, watch, exec and port-forward`, async () => {
    const { argv, env, more = [] } = await get()
    made += 1
    const mark = `mark-${made}`
    const { stdout } = await its()
      .bed.host('alice')
      .exec([...argv, 'app', mark, ...more], { env: { ...(await clientEnv(its(), mode)), ...env } })
    expect(JSON.parse(stdout)).toEqual({
      pods: ['app'],
      watched: [`added ${mark}`, `deleted ${mark}`],
      echoed: 'typed',
      code: 3,
      forwarded: 'app',
    })
  })
}

/** A chart of one object. */
const chart = {
  'Chart.yaml': 'apiVersion: v2\nname: tiny\nversion: 1.0.0\n',
  'templates/object.yaml':
    'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: tiny\ndata:\n  text: {{ .Values.text }}\n',
}

/** Tests that helm installs, upgrades, lists and uninstalls. */
export function testHelm(its: () => ApiServerBed, mode: Mode): void {
  test(`helm, mode ${mode}: install, upgrade, list, uninstall`, async () => {
    const alice = its().bed.host('alice')
    await mkdir(alice.path('/tmp/tiny/templates'), { recursive: true })
    for (const [file, text] of Object.entries(chart)) await writeFile(alice.path(`/tmp/tiny/${file}`), text)
    const env = await clientEnv(its(), mode)
    const helm = async (...argv: readonly string[]) => (await alice.exec(['helm', ...argv], { env })).stdout
    const text = async () => (await its().bed.cluster.get<{ data: object }>('configmap', 'tiny'))?.data
    await helm('install', 'tiny', '/tmp/tiny', '--set=text=first', '--wait')
    expect(await text()).toEqual({ text: 'first' })
    await helm('upgrade', 'tiny', '/tmp/tiny', '--set=text=second', '--wait')
    expect(await text()).toEqual({ text: 'second' })
    expect(JSON.parse(await helm('list', '--output=json'))).toMatchObject([
      { name: 'tiny', revision: '2', status: 'deployed' },
    ])
    await helm('uninstall', 'tiny', '--wait')
    expect(await text()).toBeUndefined()
  })
}

/** In the mode `auth` alice is that by the policy; in the other, her credentials are those of an account. */
export async function clientEnv(its: ApiServerBed, mode: Mode): Promise<Environment> {
  if (mode === 'auth') return its.env(mode)
  const { bed } = its
  const name = 'admin'
  await bed.cluster.apply(
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'default' } },
    binding(name, 'cluster-admin', serviceAccount(name)),
  )
  const file = (path: string) => bed.host('alice').path(path)
  const config = JSON.parse(await readFile(file(its.env(mode)['KUBECONFIG']!), 'utf8')) as object
  const users = [{ name: 'nobody', user: { token: await bed.cluster.token('default', name) } }]
  await writeFile(file('/tmp/admin.json'), JSON.stringify({ ...config, users }))
  return { ...its.env(mode), KUBECONFIG: '/tmp/admin.json' }
}
