import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { superviseTailscaled, type Supervisor } from '../../../agent/tailscaled/daemon.ts'
import type { OwnStore } from '../../../agent/world/store.ts'
import { timings } from '../../../agent/world/timings.ts'
import type { Tailnet } from '../../../agent/world/world.ts'
import { VirtualClock } from '../../lib/virtual-clock.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'
import { type FakeChild, fakeSpawn } from './fake-spawn.ts'

/** The daemon machine in virtual time, with processes that the test controls. */
export class SupervisedDaemon {
  readonly folder = mkdtempSync(join(tmpdir(), 'culvert-'))
  readonly clock = new VirtualClock()
  readonly store: OwnStore
  readonly lines: readonly string[]
  readonly supervisor: Supervisor
  /** The result of `run`. */
  outcome: unknown
  /** Why the config file cannot be written, if it cannot. */
  obstacle: Error | undefined
  readonly #stop: AbortController
  readonly #children: readonly FakeChild[]

  /** tailscaled's state is in memory, unless `onDisk`. `onSignal` says how it reacts to signals. */
  constructor(onSignal?: Parameters<typeof fakeSpawn>[0], { onDisk = false } = {}) {
    const world = aWorld(
      { daemon: { phase: 'down', restarts: 0 }, tailnet: { watching: false, noSnat: false, health: new Map() } },
      {
        TS_SOCKET: join(this.folder, 'tailscaled.sock'),
        TS_AUTHKEY: 'tskey-auth-secret',
        ...(onDisk && { TS_STATE_DIR: this.folder }),
      },
    )
    const { spawn, children } = fakeSpawn(onSignal)
    const { context, store, lines, stop } = aContext(world, { clock: this.clock, timings })
    this.store = store
    this.lines = lines
    this.#stop = stop
    this.#children = children
    const env = { PORT: '41641' }
    const placeConfig = (): undefined => {
      if (this.obstacle !== undefined) throw this.obstacle
    }
    this.supervisor = superviseTailscaled({ ...context, spawn, carry: undefined, env, placeConfig })
    this.supervisor.run().then(
      () => (this.outcome = 'ended'),
      (error: unknown) => (this.outcome = error),
    )
  }

  get phase() {
    return this.store.world.daemon.phase
  }

  /** All that were started, in order. */
  get daemons(): readonly FakeChild[] {
    return this.#children.filter(({ program }) => program === 'tailscaled')
  }

  get logins(): readonly FakeChild[] {
    return this.#children.filter(({ program }) => program === 'tailscale')
  }

  /** tailscaled reports this on its bus. */
  reports(tailnet: Partial<Tailnet>): void {
    this.store.update((world) => ({ ...world, tailnet: { ...world.tailnet, ...tailnet } }))
  }

  /** tailscaled answers again, and the bus has ended. */
  loses(...fields: ('state' | 'loginUrl' | 'silent')[]): void {
    this.store.update((world) => {
      const tailnet = { ...world.tailnet }
      for (const field of fields) delete tailnet[field]
      return { ...world, tailnet }
    })
  }

  /** The newest tailscaled opens its socket. */
  async listens(): Promise<void> {
    await this.clock.settle()
    writeFileSync(this.store.world.settings.socket, '')
    await this.clock.advance(timings.socketPoll)
  }

  /** Goes through a good start, until the node runs. */
  async runs(): Promise<void> {
    await this.listens()
    this.logins.at(-1)?.exit()
    this.reports({ state: 'Running' })
    await this.clock.settle()
  }

  /** The newest tailscaled exits; continues until another one was started, or none will be. */
  async dies(exit: Parameters<FakeChild['exit']>[0] = {}): Promise<void> {
    const before = this.daemons.length
    this.loses('state', 'loginUrl', 'silent')
    this.daemons.at(-1)?.exit(exit)
    await this.clock.settle()
    while (this.outcome === undefined && this.daemons.length === before) await this.clock.next()
  }

  async end(): Promise<void> {
    void this.supervisor.stop(AbortSignal.abort())
    for (const child of this.#children) child.exit()
    this.#stop.abort()
    await this.clock.settle()
    rmSync(this.folder, { recursive: true })
  }
}
