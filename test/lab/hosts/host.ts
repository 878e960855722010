import { basename, dirname } from 'node:path'
import type { Address } from '../namespaces/addresses.ts'
import { seenFrom } from '../namespaces/files.ts'
import type { HostRecord } from '../namespaces/record.ts'
import { run, type Ran } from '../run.ts'
import { HostProcess, tiedInside } from './process.ts'

export type ExecOptions = {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly input?: string
  /** A file on this side to read from instead. */
  readonly inputFile?: string
  /** Milliseconds after which it is killed; `patience` when left out. */
  readonly timeout?: number
  /** With `false` a non-zero exit is returned instead of thrown. */
  readonly check?: boolean
}

export type StartOptions = {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** Its name in messages and in the bed's tails; the program's when left out. */
  readonly name?: string
  /** Its output is data and not a log: it is left out of the bed's tails. */
  readonly quiet?: boolean
}

/** A host of a bed: namespaces with one network device, `eth0`, and private files in /tmp, /run, /etc and /var. */
export class Host {
  readonly name: string
  readonly address: Address
  /** The first process of its namespaces, as numbered on this side. */
  readonly pid: number
  /** The process whose network it has: the same one, except for a Pod. */
  readonly network: number
  readonly #path: string
  readonly #always: Readonly<Record<string, string>>
  readonly #processes: HostProcess[] = []
  readonly #quiet = new Set<HostProcess>()

  /**
   * `programs`: the directories of the bed's parts, searched before the machine's. `always`: set for everything that
   * runs here.
   */
  constructor(
    record: Pick<HostRecord, 'name' | 'address' | 'holder'>,
    programs: readonly string[],
    always: Readonly<Record<string, string>>,
    network = record.holder.pid,
  ) {
    this.name = record.name
    this.address = record.address
    this.pid = record.holder.pid
    this.network = network
    this.#path = searchPath(programs)
    this.#always = always
  }

  /** The processes that this side started in the host, ended or not. */
  get processes(): readonly HostProcess[] {
    return this.#processes
  }

  /** Those of them whose output is a log. */
  get loggers(): readonly HostProcess[] {
    return this.#processes.filter((process) => !this.#quiet.has(process))
  }

  /**
   * The environment of programs in the host: nothing is taken from this process, but where Node keeps what it has
   * compiled. A variable given as undefined is left out.
   */
  env(more: Readonly<Record<string, string | undefined>> = {}): Record<string, string> {
    const all = {
      PATH: this.#path,
      HOME: '/tmp',
      LANG: 'C.UTF-8',
      TS_NO_LOGS_NO_SUPPORT: 'true',
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      ...this.#always,
      ...more,
    }
    return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined))
  }

  /** The path of a file of the host from this side, while the bed is up. */
  path(inside: string): string {
    return seenFrom(this.pid, inside)
  }

  /**
   * Runs a program in the host to its end. Rejects on failure and at the time limit, with the output in the message.
   */
  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<Ran> {
    const { env, cwd, ...rest } = options
    return await run(tiedInside(this.pid, argv, { network: this.network, ...(cwd && { cwd }) }), {
      ...rest,
      env: this.env(env),
      doing: `${this.name}: ${argv.join(' ')}`,
    })
  }

  /** Starts a program in the host and returns once it runs. It dies with this process or with the bed. */
  async spawn(argv: readonly string[], options: StartOptions = {}): Promise<HostProcess> {
    const name = `${this.name}/${options.name ?? basename(argv[0] ?? '')}`
    const started = await HostProcess.start(this.pid, argv, {
      env: this.env(options.env),
      name,
      network: this.network,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    })
    this.#processes.push(started)
    if (options.quiet === true) this.#quiet.add(started)
    return started
  }
}

/** Programs of the bed's parts first, then this Node, then the machine's. */
export function searchPath(programs: readonly string[]): string {
  const machine = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']
  return [...new Set([...programs, dirname(process.execPath), ...machine])].join(':')
}
