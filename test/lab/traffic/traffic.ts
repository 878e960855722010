import { join } from 'node:path'
import { trusted } from '../acme/paths.ts'
import { CulvertError } from '../../../lib/errors.ts'
import type { Host } from '../hosts/host.ts'
import type { HostProcess } from '../hosts/process.ts'
import { patience as ample } from '../patience.ts'
import type { Answer, ProbeSettings, Protocol, Report } from './protocol.ts'

const programs = join(import.meta.dirname, 'programs')

export type EchoOptions = {
  /** 7000 when left out. */
  readonly ports?: readonly number[]
  /** Its name in answers; the host's when left out. */
  readonly name?: string
}

/** Runs an echo server, TCP and UDP, on every address of a host. */
export async function startEcho(host: Host, options: EchoOptions = {}): Promise<HostProcess> {
  const ports = (options.ports ?? [7000]).map(String)
  const echo = await host.spawn([process.execPath, join(programs, 'echo.ts'), options.name ?? host.name, ...ports], {
    name: 'echo',
  })
  await echo.line(/^ready$/)
  return echo
}

/**
 * Runs a server that answers each datagram like the echo server, and then keeps sending to the client for a minute,
 * twenty times a second, as a server that pushes does.
 */
export async function startPush(host: Host, port: number): Promise<HostProcess> {
  const push = await host.spawn([process.execPath, join(programs, 'push.ts'), host.name, String(port)], {
    name: 'push',
  })
  await push.line(/^ready$/)
  return push
}

export type Target = Pick<ProbeSettings, 'to' | 'name'> & { readonly port?: number; readonly protocol: Protocol }

/** An additional authority for Node in a host: the bed's certificate authority. */
const env = { NODE_EXTRA_CA_CERTS: trusted }

const portOf = (protocol: Protocol): number => (protocol === 'https' ? 443 : 7000)

export type TrafficOptions = Target & Partial<Omit<ProbeSettings, 'protocol' | 'to' | 'port'>>

/** Running traffic. It ends by itself: load is always limited in number and time. */
export class Traffic {
  readonly #process: HostProcess
  #latest: Report | undefined
  #last = false

  constructor(process: HostProcess) {
    this.#process = process
    process.output.listen((line, from) => {
      if (from !== 'stdout' || !line.startsWith('{')) return
      const { last, ...report } = JSON.parse(line) as Report & { last?: true }
      this.#latest = report
      this.#last = last === true
    })
  }

  /** The results up to a quarter of a second ago. */
  get report(): Report | undefined {
    return this.#latest
  }

  /** Waits for its end. Throws CulvertError `command` when the program failed. */
  async done(): Promise<Report> {
    await this.#process.exited
    if (this.#latest !== undefined && this.#last) return this.#latest
    throw new CulvertError(
      'command',
      `${this.#process.name} gave no report:\n${this.#process.log.slice(-10).join('\n')}`,
    )
  }

  /** Ends it early, after the outstanding answers. */
  async stop(): Promise<Report> {
    this.#process.kill('SIGTERM')
    return await this.done()
  }

  /** Ends it at once, without waiting for answers. */
  async abandon(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#process.exited
  }
}

const defaults = {
  mode: 'flow',
  every: 20,
  count: 100_000,
  duration: 30 * 60_000,
  patience: 30_000,
  padding: 0,
} as const

/**
 * Starts to exchange messages with an echo server from a host; returns once the first was sent. Defaults: `flow` mode,
 * one message each 20 ms, at most 100,000 of them and half an hour, half a minute for an answer, port 7000 or that of
 * HTTPS.
 */
export async function startTraffic(host: Host, options: TrafficOptions): Promise<Traffic> {
  const settings: ProbeSettings = { ...defaults, port: portOf(options.protocol), ...options }
  const name = `${settings.protocol}-${settings.mode}`
  const child = await host.spawn([process.execPath, join(programs, 'probe.ts'), JSON.stringify(settings)], {
    name,
    quiet: true,
    ...(settings.protocol === 'https' && { env }),
  })
  const traffic = new Traffic(child)
  await child.line(/^started$/)
  return traffic
}

export type Question = Target & { readonly data?: string } & Partial<Pick<ProbeSettings, 'patience' | 'resendEvery'>>

/**
 * Exchanges one message with an echo server and returns its answer. `patience` is in milliseconds, half a minute when
 * left out. A datagram is sent again each second, unless `resendEvery` says otherwise, since any single one may be
 * lost, while two nodes find a path to each other or for lack of CPU time. Throws CulvertError `command` with the code
 * of the failure, such as ECONNREFUSED or ETIMEDOUT.
 */
export async function ask(host: Host, question: Question): Promise<Answer> {
  const [answer] = await askAll(host, [question])
  if (answer instanceof CulvertError) throw answer
  return answer!
}

/** Like `ask`, several at once: for each, in order, its answer or what `ask` would throw. */
export async function askAll(host: Host, questions: readonly Question[]): Promise<(Answer | CulvertError)[]> {
  const all = questions.map((question) => ({
    port: portOf(question.protocol),
    data: 'hello',
    patience: 30_000,
    resendEvery: 1000,
    ...question,
  }))
  const { stdout } = await host.exec([process.execPath, join(programs, 'ask.ts'), JSON.stringify(all)], {
    timeout: Math.max(0, ...all.map(({ patience }) => patience)) + ample,
    ...(all.some(({ protocol }) => protocol === 'https') && { env }),
  })
  return (JSON.parse(stdout) as (Answer | string)[]).map((answer, index) => {
    if (typeof answer !== 'string') return answer
    const { protocol, to, port } = all[index]!
    return new CulvertError('command', `${host.name}: ${protocol} ${to} port ${port}: ${answer}`)
  })
}
