import { expect } from 'vitest'
import { connect } from '../../kube/controller/cluster.ts'
import { type Clock, systemClock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import { tailscaleApi } from '../../operator/api/client.ts'
import { compose, type Operator } from '../../operator/compose.ts'
import type { OperatorSettings } from '../../operator/settings/settings.ts'
import { ApiBed } from '../kube/controller/api-bed.ts'
import { type Bed, startBed } from '../lab/bed.ts'
import { Way } from '../lab/way.ts'
import { settings } from './a-world.ts'
import { installOperator, namespace } from './operator-process.ts'
import { joinOf, playAgents, type PlayedAgents } from './played-agents.ts'

/** Waits until an operator has nothing to do. */
export const idle = ({ controllers }: Pick<Operator, 'controllers'>) =>
  expect
    .poll(() => controllers.map((one) => [one.counts().waiting, one.counts().running]))
    .toEqual(controllers.map(() => [0, 0]))

/**
 * A tailnet and an API server without nodes, in which this process runs the operator with the rights of its manifest,
 * and agents are played.
 */
export class OperatorBed implements AsyncDisposable {
  readonly bed: Bed
  readonly kube: ApiBed
  readonly agents: PlayedAgents
  readonly settings: OperatorSettings
  /** What the played agents report as wrong. */
  readonly problems: string[]
  /** The bed whose tailnet it is. */
  readonly tailnet: Bed
  readonly #control: Way

  private constructor({ bed, kube, control, tailnet }: { bed: Bed; kube: ApiBed; control: Way; tailnet: Bed }) {
    this.bed = bed
    this.kube = kube
    this.tailnet = tailnet
    this.#control = control
    this.problems = []
    this.settings = { ...settings, loginServer: `http://${control.address}` }
    this.agents = playAgents(kube.direct, {
      namespace,
      problem: (text) => void this.problems.push(text),
      join: joinOf(tailnet),
    })
  }

  /** `other`: the bed whose tailnet it shares, instead of one of its own. */
  static async start(other?: Bed): Promise<OperatorBed> {
    const bed = await startBed({ hosts: {}, cluster: { nodes: 0 } })
    const tailnet = other ?? bed
    const kube = await ApiBed.start(bed)
    const control = await Way.open(tailnet.cluster.argv.slice(0, -1), new URL(tailnet.controlUrl))
    await installOperator(bed)
    return new OperatorBed({ bed, kube, control, tailnet })
  }

  /** Runs the operator; `logged` are the lines of its log. It sees the API server through `kube.proxy`. */
  async operate(
    clock: Clock = systemClock,
  ): Promise<Operator & AsyncDisposable & { readonly logged: readonly string[] }> {
    const { bed, kube, tailnet: joined } = this
    const stop = new AbortController()
    const logged: string[] = []
    const { id, secret } = await joined.control.createApiClient()
    const files = { idFile: kube.file('client_id', id), secretFile: kube.file('client_secret', secret) }
    const token = (await bed.cluster.token(namespace, 'operator')).trim()
    const { api } = await connect(kube.kubeconfig('operator', { token }, kube.proxy.url))
    const tailnet = tailscaleApi(this.settings.loginServer, { type: 'oauth-client', ...files })
    const log: Log = ({ text }) => logged.push(text)
    const operator = compose({ api, tailnet, settings: this.settings, log, clock }, stop.signal)
    await Promise.all(operator.sources().map(({ synced }) => synced))
    return {
      ...operator,
      logged,
      [Symbol.asyncDispose]: async () => {
        await Promise.all(operator.controllers.map(({ drain }) => drain(5000)))
        stop.abort()
      },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agents[Symbol.asyncDispose]()
    await this.#control[Symbol.asyncDispose]()
    await this.kube[Symbol.asyncDispose]()
    await this.bed.down()
  }
}
