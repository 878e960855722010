import { getServeConfig, setServeConfig } from '../../localapi/serve-config.ts'
import { backendPort } from '../../netfilter/port-ranges.ts'
import { relayAddress } from '../../relay/tcp.ts'
import { type PortHandler, withoutEmpty } from '../../wire/serve-config.ts'
import { ingressPorts } from '../targets/ports.ts'
import type { Context } from '../world/context.ts'
import { isRunning, type World } from '../world/world.ts'
import { list, summarize } from './view.ts'
import { events } from './log-events.ts'

/**
 * If this agent lets tailscaled serve nothing: ends forwards of L3 ingress that tailscaled keeps from an earlier run with
 * other settings, since it would take these ports from the rules; and logs once what else it serves, which a person
 * may have set, since nothing else would mention it.
 * @throws CulvertError `localapi` when tailscaled refuses.
 */
export async function lookAtUnmanaged({
  store,
  api,
  log,
  signal,
}: Pick<Context, 'store' | 'api' | 'log' | 'signal'>): Promise<void> {
  await store.until(isRunning, signal)
  const { config, etag } = await getServeConfig(api, signal)
  const { old = [], rest = [] } = Object.groupBy(Object.entries(config.TCP ?? {}), ([port, handler]) =>
    isOldForward(store.world, Number(port), handler) ? 'old' : 'rest',
  )
  const left = withoutEmpty({ ...config, TCP: Object.fromEntries(rest) })
  if (old.length > 0) {
    await setServeConfig(api, left, etag, signal)
    const ports = old.map(([port]) => port)
    log(events.oldForwards({ ports: list('port', ports) }))
  }
  if (Object.keys(left).length === 0) return
  log(events.unmanaged({ what: summarize(left) }))
}

/** Whether a port leads to the relay, or to a backend that it reaches by rules now. */
function isOldForward(world: World, port: number, { TCPForward = '', TerminateTLS }: PortHandler): boolean {
  if (TerminateTLS !== undefined) return false
  const [, host = '', to] = /^\[?(.*?)\]?:(\d+)$/.exec(TCPForward) ?? []
  if (host === relayAddress) return true
  const { byRules } = ingressPorts(world)
  const hasRule = byRules === undefined ? Number(to) === port : backendPort(byRules, 'tcp', port) !== undefined
  return hasRule && world.settings.targets.some(({ text }) => text === host)
}
