import { readFile, readdir } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { controlSource, projectRoot } from '../paths.ts'

/** A Go module of the lab, whose go.mod and go.sum pin every version of what is built with it. */
export type GoModule = {
  readonly directory: string
  /** The Go that it needs, if that is newer than the installed one; it comes as a module, too. */
  readonly toolchain?: string
  /** The module whose version the programs report, and the linker flags that set it. */
  readonly stamp?: { readonly of: string; readonly settings: (version: string) => readonly string[] }
}

const definition = (name: string): string => join(import.meta.dirname, 'go', name)

// Upstream's programs are not the main modules of these builds, so their version must be set.
const tailscaleStamp: GoModule['stamp'] = {
  of: 'tailscale.com',
  settings: (version) => [
    `tailscale.com/version.shortStamp=${version}`,
    `tailscale.com/version.longStamp=${version}-lab`,
  ],
}
export const control: GoModule = { directory: controlSource, stamp: tailscaleStamp }
export const tailscale80: GoModule = { directory: definition('tailscale-1.80'), stamp: tailscaleStamp }
export const tailscale104: GoModule = {
  directory: definition('tailscale-1.104'),
  stamp: tailscaleStamp,
  toolchain: 'go1.27.3',
}
export const k8sOperator: GoModule = { directory: definition('k8s-operator'), stamp: tailscaleStamp }
export const kubernetes: GoModule = {
  directory: definition('kubernetes'),
  stamp: {
    of: 'k8s.io/kubernetes',
    settings: (version) => [`k8s.io/component-base/version.gitVersion=v${version}`],
  },
}
export const etcd: GoModule = { directory: definition('etcd') }
export const coredns: GoModule = { directory: definition('coredns') }
export const helm: GoModule = { directory: definition('helm') }
export const clientGo: GoModule = { directory: definition('client-go') }
export const versitygw: GoModule = { directory: definition('versitygw') }
export const pods: GoModule = { directory: definition('pods') }

/** Flags for `go build`. */
export async function flagsOf({ directory, stamp }: GoModule): Promise<string[]> {
  const settings = stamp === undefined ? [] : stamp.settings(await versionIn(directory, stamp.of))
  const stamps = settings.map((setting) => ` -X ${setting}`).join('')
  return ['-trimpath', '-buildvcs=false', '-mod=readonly', `-ldflags=-s -w${stamps}`]
}

/** The oldest Go that can build all of the lab, such as `1.26.6`. */
export async function goNeeded(): Promise<string> {
  return await fromDefinition(controlSource, /^go (\S+)$/m)
}

async function versionIn(directory: string, module: string): Promise<string> {
  return await fromDefinition(directory, new RegExp(`^(?:require)?\\s*${module.replaceAll('.', '\\.')} v(\\S+)`, 'm'))
}

async function fromDefinition(directory: string, pattern: RegExp): Promise<string> {
  const file = join(directory, 'go.mod')
  const match = pattern.exec(await readFile(file, 'utf8'))
  if (match?.[1] !== undefined) return match[1]
  throw new Error(`${relative(projectRoot, file)} has no line like ${String(pattern)}`)
}

/** The text of the module's definition, and optionally of its sources. */
export async function textOf({ directory }: GoModule, withSources: boolean): Promise<string> {
  const names = (await readdir(directory, { recursive: true })).filter((name) =>
    withSources ? /\.(go|mod|sum)$/.test(name) && !name.endsWith('_test.go') : /^go\.(mod|sum)$/.test(name),
  )
  const texts = await Promise.all(
    names.toSorted().map(async (name) => `${name}\n${await readFile(join(directory, name), 'utf8')}`),
  )
  return texts.join('\n')
}
