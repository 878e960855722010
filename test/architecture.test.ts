import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = dirname(import.meta.dirname)

/**
 * Which folders each folder may import from, besides itself. Clients of the outside are passed in as narrow interfaces.
 */
const allowed: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  wire: ['lib'],
  netfilter: ['lib', 'wire'],
  localapi: ['lib', 'wire'],
  serve: ['lib', 'wire', 'localapi'],
  certs: ['lib', 'wire', 'localapi'],
  kube: ['lib', 'wire'],
  relay: ['lib'],
  agent: ['lib', 'wire', 'netfilter', 'localapi', 'serve', 'certs', 'kube', 'relay'],
  operator: ['lib', 'wire', 'kube'],
  apiserver: ['lib', 'wire', 'localapi', 'kube'],
  recorder: ['lib', 'localapi'],
}

/**
 * The folders of `agent/` from the bottom up, as docs/internals.md draws them: each may import only from those before
 * it. What puts them together is above all of them.
 */
const order = [
  'settings',
  'world',
  'mounted',
  'targets',
  'forwarding',
  'relay',
  'serve',
  'device-config',
  'state-secret',
  'certificates',
  'tailscaled',
  'preshutdown',
  'figures',
  'status',
  'endpoints',
  'lifecycle',
  'check',
  'cli',
  '.',
]

/**
 * The only files of netfilter/ that the agent may import: which backend is used, and how it works, stays in netfilter/.
 */
const firewall = [
  'netfilter/backend.ts',
  'netfilter/mappings.ts',
  'netfilter/plan.ts',
  'netfilter/port-ranges.ts',
  'netfilter/raw.ts',
  'netfilter/table.ts',
  'netfilter/trace.ts',
  'netfilter/sysctl.ts',
  'netfilter/traffic.ts',
]

const files = Object.keys(allowed).flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name)),
)

const textOf = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]))

/** The files that a file imports, types counted. */
const importsOf = (file: string): string[] =>
  [...(textOf.get(file) ?? '').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    normalize(join(dirname(file), match[1] ?? '')),
  )

const folderOf = (path: string): string => path.split('/')[0] ?? ''
/** The folder of a file within `agent/`. */
const placeOf = (file: string): string => relative('agent', dirname(file)) || '.'
const rankOf = (file: string): number => order.indexOf(placeOf(file))

/** A cycle of imports that begins and ends at `start`. */
function circleFrom(start: string): readonly string[] | undefined {
  const ways: (readonly string[])[] = [[start]]
  const seen = new Set<string>()
  for (let way = ways.shift(); way !== undefined; way = ways.shift()) {
    for (const next of importsOf(way.at(-1)!)) {
      if (next === start) return [...way, next]
      if (seen.has(next)) continue
      seen.add(next)
      ways.push([...way, next])
    }
  }
  return undefined
}

/** Files in which a pattern occurs. */
const filesWith = (pattern: RegExp, among = files): string[] =>
  among.filter((file) => pattern.test(textOf.get(file) ?? ''))

describe('the architecture', () => {
  it('finds the source files and their imports', () => {
    expect(files.length).toBeGreaterThan(150)
    expect(importsOf('agent/main.ts')).toContain('agent/run.ts')
    expect(importsOf('agent/state-secret/keep.ts')).toContain('kube/client.ts')
  })

  it.each(files)('%s imports only what its folder may', (file) => {
    for (const path of importsOf(file)) {
      expect([folderOf(file), ...(allowed[folderOf(file)] ?? [])], `import of ${path}`).toContain(folderOf(path))
    }
  })

  it.each(files.filter((file) => folderOf(file) === 'agent'))('%s imports only from folders below its own', (file) => {
    expect(order).toContain(placeOf(file))
    for (const path of importsOf(file).filter((one) => folderOf(one) === 'agent')) {
      expect(rankOf(path), `import of ${path}`).toBeLessThanOrEqual(rankOf(file))
    }
  })

  it('no file imports itself through others, type imports included', () => {
    expect(files.flatMap((file) => [circleFrom(file)?.join(' → ') ?? []].flat())).toEqual([])
  })

  it('the agent imports only the public files of netfilter/', () => {
    const known = files
      .filter((file) => folderOf(file) === 'agent')
      .flatMap((file) => importsOf(file).filter((path) => folderOf(path) === 'netfilter'))
    expect([...new Set(known)].toSorted()).toEqual(firewall.toSorted())
  })

  it('the agent imports nothing of the controller core, nor does anything that it imports', () => {
    const reached = new Set(['agent/main.ts'])
    for (const file of reached) for (const path of importsOf(file)) reached.add(path)
    expect(reached).toContain('kube/client.ts')
    expect([...reached].filter((file) => file.startsWith('kube/controller/'))).toEqual([])
  })

  it('no file has more than 250 lines', () => {
    expect(files.filter((file) => (textOf.get(file) ?? '').split('\n').length > 251)).toEqual([])
  })
})

// A pattern that can match nothing would pass unnoticed, so each is shown to match where it is allowed.
describe('only one place', () => {
  it('runs the programs of the firewall: netfilter/', () => {
    const programs = /'(?:nft|ip6tables|ip6?tables-\w+|conntrack|sysctl)'|\(\s*'iptables'/
    const found = filesWith(programs)
    expect(found).toContain('netfilter/conntrack.ts')
    expect(found.filter((file) => folderOf(file) !== 'netfilter')).toEqual([])
  })

  it.each([
    ['starts programs', 'execa|node:child_process', 'lib/program.ts'],
    ['asks by undici', 'undici', 'lib/http-client.ts'],
    ['watches directories', 'chokidar', 'lib/directory.ts'],
    ['plays recordings', 'asciinema-player', 'recorder/web/browser/play.ts'],
    ['reads and changes YAML', 'yaml', 'agent/cli/yaml.ts'],
    ['draws graphs', '@hpcc-js/wasm-graphviz', 'agent/cli/svg.ts'],
    ['speaks to S3', '@aws-sdk/[\\w-]+', 'recorder/s3/sdk.ts'],
    ['authenticates by client-node', '@kubernetes/client-node', 'kube/controller/cluster.ts'],
  ])('%s, by %s: %s', (_what, names, file) => {
    expect(filesWith(new RegExp(`'(?:${names})'`))).toEqual([file])
  })

  it('knows the name of the tunnel’s device: netfilter/table.ts', () => {
    expect(filesWith(/tailscale0/).filter((file) => !file.startsWith('netfilter/leftovers/'))).toEqual([
      'netfilter/table.ts',
    ])
  })

  it('reads the environment and ends the process: main.ts of each program', () => {
    const found = filesWith(/process\.(?:env|argv|exit\b)|\} = process\b|'node:process'/)
    expect(found).toEqual(['agent/main.ts', 'operator/main.ts', 'apiserver/main.ts', 'recorder/main.ts'])
  })

  it('reads the time and waits through the clock that is passed to the agent', () => {
    const agent = files.filter((file) => folderOf(file) === 'agent')
    const clocks = /Date\.now\(|performance\.now\(|new Date\(\)|setInterval\(|setTimeout\(|AbortSignal\.timeout\(/
    expect(filesWith(clocks)).toContain('lib/clock.ts')
    // Timeouts of single calls.
    const limits = ['agent/cli/ask.ts', 'agent/preshutdown/ping.ts']
    expect(filesWith(clocks, agent).toSorted()).toEqual(limits)
  })
})
