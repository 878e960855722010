import { execa } from 'execa'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { CulvertError } from '../../../lib/errors.ts'
import { controlSource } from '../paths.ts'
import { run, tail } from '../run.ts'
import type { Part } from './part.ts'

/** Only the installed Go is used: nothing is downloaded but modules. */
const goEnv = { GOTOOLCHAIN: 'local', GOWORK: 'off', CGO_ENABLED: '0', GOFLAGS: '' }

let installed: Promise<string> | undefined

/** The installed Go's version, such as `go1.26.8`. Throws CulvertError `command` when there is none. */
export async function goVersion(): Promise<string> {
  installed ??= run(['go', 'env', 'GOVERSION'], { cwd: '/', env: environment() }).then(({ stdout }) => stdout.trim())
  return await installed
}

function environment(): Record<string, string> {
  const own = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  // Where Go is installed by its own instructions, even if the caller's PATH does not say so.
  return { ...Object.fromEntries(own), PATH: `${process.env['PATH'] ?? ''}:/usr/local/go/bin`, ...goEnv }
}

/** A program out of the Go module in test/lab/control, whose go.mod and go.sum fix every version. */
export function goProgram<Name extends string>(program: {
  readonly name: Name
  /** The package, as `go build` names it. */
  readonly package: string
  /** Set when it is made of the sources in test/lab/control themselves. */
  readonly ownSource?: boolean
}): Part<Name> {
  return {
    name: program.name,
    inputs: async () =>
      [await goVersion(), ...(await flags()), program.package, await sources(program.ownSource === true)].join('\n'),
    build: async (into, note) => {
      const output = join(into, program.name)
      await goBuild(['-o', output, program.package], note)
      await run([output, '--help'], { check: false, timeout: 10_000, doing: `try ${program.name}` })
    },
  }
}

/** The text of the module's definition, and of its sources where they matter. */
async function sources(own: boolean): Promise<string> {
  const names = (await readdir(controlSource)).filter((name) =>
    (own ? /\.(go|mod|sum)$/ : /^go\.(mod|sum)$/).test(name),
  )
  const wanted = names.filter((name) => !name.endsWith('_test.go')).sort()
  const texts = await Promise.all(
    wanted.map(async (name) => `${name}\n${await readFile(join(controlSource, name), 'utf8')}`),
  )
  return texts.join('\n')
}

/** The oldest Go that the module can be built with, such as `1.26.6`. */
export async function goNeeded(): Promise<string> {
  return fromDefinition(/^go (\S+)$/m)
}

async function fromDefinition(pattern: RegExp): Promise<string> {
  const match = pattern.exec(await readFile(join(controlSource, 'go.mod'), 'utf8'))
  if (match?.[1] === undefined) throw new Error(`test/lab/control/go.mod has no line like ${String(pattern)}`)
  return match[1]
}

async function flags(): Promise<string[]> {
  // Being no main modules of this build, upstream's programs do not know their version unless they are told.
  const version = await fromDefinition(/^\s*tailscale\.com v(\S+)$/m)
  const stamp = `-X tailscale.com/version.shortStamp=${version} -X tailscale.com/version.longStamp=${version}-lab`
  return ['-trimpath', '-buildvcs=false', '-mod=readonly', `-ldflags=-s -w ${stamp}`]
}

/** Runs `go build`, telling how many modules came and how many packages were compiled. */
async function goBuild(args: readonly string[], note: (detail: string) => void): Promise<void> {
  // However this process ends, no compiler goes on without it.
  const child = execa('setpriv', ['--pdeathsig', 'KILL', '--', 'go', 'build', '-v', ...(await flags()), ...args], {
    cwd: controlSource,
    env: environment(),
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    all: true,
  })
  let downloads = 0
  let packages = 0
  for await (const line of child.iterable({ from: 'all' })) {
    if (line.startsWith('go: downloading ')) downloads += 1
    else if (/^[\w./-]+$/.test(line)) packages += 1
    const fetched = downloads > 0 ? `${downloads} modules fetched, ` : ''
    note(`${fetched}${packages} packages compiled`)
  }
  const { exitCode, all } = await child
  if (exitCode === 0) return
  throw new CulvertError('command', `go build ${args.at(-1)} failed:\n${tail(all ?? '', 20)}`, {
    remedy: 'If modules could not be fetched, check that the Go module proxy is reachable (GOPROXY), then run it again',
  })
}
