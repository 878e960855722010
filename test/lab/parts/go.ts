import { execa } from 'execa'
import { join } from 'node:path'
import { CulvertError } from '../../../lib/errors.ts'
import { run, tail } from '../run.ts'
import { flagsOf, textOf, type GoModule } from './module.ts'
import type { Part } from './part.ts'

/** Nothing is downloaded but modules; a newer Go than the installed one only where a module names it. */
const goEnv = { GOWORK: 'off', CGO_ENABLED: '0', GOFLAGS: '' }

let installed: Promise<string> | undefined

/** The installed Go's version, such as `go1.26.8`. Throws CulvertError `command` when there is none. */
export async function goVersion(): Promise<string> {
  installed ??= run(['go', 'env', 'GOVERSION'], { cwd: '/', env: environment() }).then(({ stdout }) => stdout.trim())
  return await installed
}

function environment(toolchain = 'local'): Record<string, string> {
  const own = Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined)
  // The directory in which Go's own instructions install it, even if it is not in the caller's PATH.
  return {
    ...Object.fromEntries(own),
    PATH: `${process.env['PATH'] ?? ''}:/usr/local/go/bin`,
    ...goEnv,
    GOTOOLCHAIN: toolchain,
  }
}

type Program = {
  /** The module in which it is built. */
  readonly module: GoModule
  /** The package, as `go build` names it. */
  readonly package: string
  /** Set when it is made of the module's own sources. */
  readonly ownSource?: boolean
  /** The target architecture, in Go's naming; this machine's when left out. */
  readonly arch?: string
}

/** A part that is one Go program, of the part's name. */
export function goProgram<Name extends string>(program: Program & { readonly name: Name }): Part<Name> {
  return {
    name: program.name,
    inputs: () => goInputs(program),
    build: async (into, note) => {
      const output = join(into, program.name)
      await goBuild(program, output, note)
      if (program.arch !== undefined) return
      await run([output, '--help'], { check: false, timeout: 10_000, doing: `try ${program.name}` })
    },
  }
}

/** Everything that a Go program depends on. */
export async function goInputs(program: Program): Promise<string> {
  const { module, ownSource = false, arch } = program
  const how = [
    module.toolchain ?? (await goVersion()),
    ...(arch === undefined ? [] : [arch]),
    ...(await flagsOf(module)),
    program.package,
  ]
  return [...how, await textOf(module, ownSource)].join('\n')
}

/** The directory of the module of this name, as the go.mod of `module` pins it; fetched if it is missing. */
export async function moduleSource({ directory, toolchain }: GoModule, name: string): Promise<string> {
  const { stdout } = await run(['go', 'mod', 'download', '-json', name], {
    cwd: directory,
    env: environment(toolchain),
    doing: `fetch ${name}`,
  })
  return (JSON.parse(stdout) as { Dir: string }).Dir
}

/** Runs `go build`, reporting how many modules were fetched and how many packages compiled. `output` is a file. */
export async function goBuild(program: Program, output: string, note: (detail: string) => void): Promise<void> {
  const args = ['build', '-v', ...(await flagsOf(program.module)), '-o', output, program.package]
  // However this process ends, no compiler outlives it.
  const child = execa('setpriv', ['--pdeathsig', 'KILL', '--', 'go', ...args], {
    cwd: program.module.directory,
    env: { ...environment(program.module.toolchain), ...(program.arch !== undefined && { GOARCH: program.arch }) },
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
  throw new CulvertError('command', `go build ${program.package} failed:\n${tail(all ?? '', 20)}`, {
    remedy: 'If modules could not be fetched, check that the Go module proxy is reachable (GOPROXY), then run it again',
  })
}
