import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { bundle } from '../agent/proxy.ts'
import type { Root } from './root.ts'

/** Ends the agent with the test. By its full path, since a scenario's PATH may lack it. */
const tied = '/usr/bin/setpriv'

export type Environment = Readonly<Record<string, string>>

/** The agent as a process of its own, in a fake root, where it finds nothing of the machine but its programs. */
export class Agent implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #root: string
  #printed = ''

  constructor(root: Root, localApi: string, env: Environment, args: readonly string[] = []) {
    this.#root = root.path
    this.#child = spawn(tied, ['--pdeathsig', 'TERM', '--', process.execPath, bundle, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: `${root.path}/usr/bin:${process.env['PATH'] ?? ''}`,
        TS_TEST_RECORD_ARGS: `${root.path}/record`,
        TS_TEST_SOCKET: localApi,
        TS_SOCKET: `${root.path}/tmp/tailscaled.sock`,
        TS_TEST_ONLY_ROOT: root.path,
        TS_TEST_FAKE_NETFILTER: 'true',
        ...env,
      },
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#printed += text))
    }
  }

  /** Its exit code, or the signal that ended it; undefined while it runs. */
  get end(): number | string | undefined {
    return this.#child.exitCode ?? this.#child.signalCode ?? undefined
  }

  /** What it and its children printed, with paths as seen from within the root. */
  get output(): string {
    return this.#printed.replaceAll(this.#root, '')
  }

  /** Whether a log line of the agent ends with `text`, or matches it; in JSON, whether its message is this text. */
  hasLogged(text: string | RegExp): boolean {
    const lines = this.output.split('\n').filter((line) => /^(?:boot: |\{)/.test(line))
    const ends = (line: string, end: string): boolean =>
      line.endsWith(` ${end}`) || line.includes(`"msg":${JSON.stringify(end.replace(/^(?:warning|error): /, ''))}`)
    return lines.some((line) => (typeof text === 'string' ? ends(line, text) : text.test(line)))
  }

  /** What it has warned of by itself. */
  get warnings(): string[] {
    return this.output.split('\n').flatMap((line) => /^boot: \S+ \S+ warning: (.*)$/.exec(line)?.[1] ?? [])
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** All descendants of the agent, by process ID. */
  get children(): Map<number, string> {
    const found = new Map<number, string>()
    for (const id of readdirSync('/proc').map(Number).filter(Number.isInteger)) {
      const inRoot = `\0${read(id, 'environ')}`.includes(`\0TS_TEST_ONLY_ROOT=${this.#root}\0`)
      if (inRoot && id !== this.#child.pid) found.set(id, read(id, 'comm').trim())
    }
    return found
  }

  /** Kills the child `name`, as a crash does. */
  killChild(name: string): void {
    // It leads a process group of its own, which is killed as a whole.
    for (const [id, child] of this.children) if (child === name) kill(-id)
  }

  /** Leaves nothing, whatever went wrong. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.end === undefined) {
      const exited = once(this.#child, 'exit')
      this.#child.kill('SIGKILL')
      await exited
    }
    for (const id of this.children.keys()) kill(id)
  }
}

/** Kills a process or a group, if it exists. */
function kill(id: number): void {
  try {
    process.kill(id, 'SIGKILL')
  } catch {
    // It has ended, or leads no group.
  }
}

/** A file of a process in /proc; empty when the process has ended. */
function read(id: number, name: string): string {
  try {
    return readFileSync(`/proc/${id}/${name}`, 'utf8')
  } catch {
    return ''
  }
}
