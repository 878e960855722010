import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { enterNetwork } from '../namespaces/enter.ts'
import { seenFrom } from '../namespaces/files.ts'
import { isAlive, parentOf, signal, type Proc } from '../namespaces/procs.ts'
import { updateRecord } from '../namespaces/record.ts'
import { endedEarly, startDaemon } from '../hosts/daemon.ts'
import { poll } from '../poll.ts'
import { run } from '../run.ts'

/** A daemon of a cluster. */
export type Plan = {
  /** Its name, and that of its log, such as `kube-apiserver` or `node1.kubelet`. */
  readonly name: string
  /** The number of the node it runs on; among the bed's own daemons when left out. */
  readonly node?: number
  readonly argv: readonly string[]
  /** A URL that answers with 200 when it is ready. */
  readonly url?: string
  /** A socket that accepts connections when it is ready; as named where it runs. */
  readonly socket?: string
}

export type Surroundings = {
  readonly bed: string
  /** The process whose namespaces it runs in. */
  readonly holder: number
  readonly env: Record<string, string>
  /** The directory of its log. */
  readonly logs: string
}

/** A daemon of a cluster that can be stopped, killed and started again. */
export class Component {
  readonly name: string
  /** The path of its log. */
  readonly log: string
  readonly #plan: Plan
  readonly #around: Surroundings
  #process: Proc | undefined

  /** `process` is the running one, if it has been started already. */
  constructor(plan: Plan, around: Surroundings, process?: Proc) {
    this.name = plan.name
    this.log = join(around.logs, `${plan.name}.log`)
    this.#plan = plan
    this.#around = around
    this.#process = process
  }

  /** Its process ID on this side; undefined before its first start. */
  get pid(): number | undefined {
    return this.#process?.pid
  }

  get running(): boolean {
    return this.#process !== undefined && isAlive(this.#process)
  }

  /** Starts it, unless it runs, and returns once it is ready. */
  async start(): Promise<void> {
    if (!this.running) await this.launch()
    await this.ready()
  }

  /** Starts it and returns as soon as it runs. */
  async launch(): Promise<void> {
    const { bed, holder, env } = this.#around
    const started = await startDaemon(holder, this.#plan.argv, { env, log: this.log })
    this.#process = started
    await updateRecord(bed, (record) => ({ ...record, others: { ...record.others, [this.name]: started } }))
  }

  /** Returns once it answers. Throws CulvertError `command` when it ends first, or does not answer at all. */
  async ready(): Promise<void> {
    const { url, socket } = this.#plan
    const { holder } = this.#around
    let answered: boolean | undefined
    let failure: unknown
    const asking = url === undefined ? undefined : whenAnswered(holder, url)
    asking?.then(
      () => (answered = true),
      (error: unknown) => (failure = error),
    )
    await poll(
      `the start of ${this.name}`,
      async () => {
        if (!this.running) throw endedEarly(this.#plan.argv, this.log)
        if (failure !== undefined) throw failure
        if (socket !== undefined) return (await takesConnections(seenFrom(holder, socket))) ? true : undefined
        return answered
      },
      20,
    )
  }

  /** Sends a signal, SIGSTOP and SIGCONT among them. */
  signal(name: NodeJS.Signals): void {
    if (this.#process === undefined || !this.running) return
    signal(this.#process.pid, name)
    // A stopped daemon also stops the helper that started it, which must continue: only then is the daemon's end
    // noticed.
    const helper = parentOf(this.#process.pid)
    if (name !== 'SIGSTOP' && helper !== undefined) signal(helper, 'SIGCONT')
  }

  /** Ends it by SIGTERM or another signal; returns when it has ended. After `grace` milliseconds it is killed. */
  async stop(name: NodeJS.Signals = 'SIGTERM', grace = 10_000): Promise<void> {
    const pid = this.#process?.pid
    if (pid === undefined || !this.running) return
    this.signal(name)
    const insist = setTimeout(() => this.signal('SIGKILL'), grace)
    try {
      // Until it is no zombie either: its threads may end and release their sockets after the process itself.
      await poll(`the end of ${this.name}`, () => (existsSync(`/proc/${pid}`) ? undefined : true))
    } finally {
      clearTimeout(insist)
    }
  }

  /** Kills it; returns when it has ended. */
  async kill(): Promise<void> {
    await this.stop('SIGKILL')
  }
}

const answers = join(import.meta.dirname, 'programs/answers.ts')

async function whenAnswered(holder: number, url: string): Promise<void> {
  await run([...enterNetwork(holder), process.execPath, answers, url])
}

function takesConnections(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
