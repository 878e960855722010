import { type Clock, systemClock } from '../../lib/clock.ts'
import { transport, type TransportOptions } from '../../lib/transport.ts'
import {
  parseAutoApprovers,
  parseDevice,
  parseDevices,
  parseKey,
  parseKnownKey,
  parseRemoved,
  parseService,
  parseServices,
  parseSwitch,
} from './answers.ts'
import type { TailscaleApi } from './api.ts'
import { breaker } from './breaker.ts'
import type { CredentialFiles } from './credentials.ts'
import { type ApiRequest, dialect } from './dialect.ts'
import { ApiError, type Feature } from './error.ts'
import { type Base, tokenFeatureOf } from './grant.ts'
import { longestWait } from './retry.ts'
import { tokenAccount } from './tokens.ts'

/** A call as a whole, in milliseconds, including its token and what is sent again. */
const longestCall = 30_000

/** A device is a kilobyte, and a tailnet may have thousands. */
const listBytes = 32 * 1024 * 1024

export type ApiOptions = TransportOptions<ApiRequest> & {
  readonly callMs?: number
  /** Called with true when calls are no longer sent, since the last ones had no answer, and with false when they are. */
  readonly suspended?: (is: boolean) => void
}

/**
 * The API of the control server at `url`, which may have a path. Nothing is read or sent before the first call. While
 * the server asks all callers to wait, calls that cannot wait for that are refused without being sent.
 */
export function tailscaleApi(
  url: string,
  files: CredentialFiles,
  clock: Clock = systemClock,
  { callMs = longestCall, suspended = () => {}, ...options }: ApiOptions = {},
): TailscaleApi {
  const base = baseOf(url)
  const dateNow = (): number => clock.date().getTime()
  const { call } = transport<ApiRequest>(
    { url: base.origin },
    tokenAccount(base, files, clock),
    callMs,
    dialect(dateNow, files),
    options,
  )
  const { call: guarded } = breaker(clock, suspended)
  const absent = new Set<Feature>()
  const tokenFeature = tokenFeatureOf(files)
  /** Before this time of the clock the server wants no calls. */
  let busyUntil = Number.NEGATIVE_INFINITY

  const ask = async <T>(request: ApiRequest, parse: (text: string) => T, signal: AbortSignal): Promise<T> => {
    const left = busyUntil - clock.now()
    if (left > longestWait) throw busy(request, left)
    if (left > 0) await clock.sleep(left, signal)
    try {
      const sent = { ...request, path: `${base.prefix}/api/v2${request.path}` }
      const value = await guarded(request.action, () => call(sent, parse, signal), signal)
      for (const present of [request.feature, tokenFeature] as const) absent.delete(present)
      return value
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      if (error.lacks !== undefined) absent.add(error.lacks)
      if (error.problem === 'limited' && error.retryAfterMs !== undefined) busyUntil = clock.now() + error.retryAfterMs
      throw error
    }
  }
  const get = (action: string, feature: Feature, path: string): ApiRequest => ({ action, feature, method: 'GET', path })
  const list = (action: string, feature: Feature, path: string): ApiRequest => ({
    ...get(action, feature, path),
    maxBytes: listBytes,
  })
  const remove = async (action: string, feature: Feature, path: string, signal: AbortSignal): Promise<void> => {
    await unlessGone(ask({ action, feature, method: 'DELETE', path }, parseRemoved, signal))
  }

  const keyPath = (id: string): string => `/tailnet/-/keys/${encodeURIComponent(id)}`
  const devicePath = (id: string): string => `/device/${encodeURIComponent(id)}`
  const servicePath = (name: string): string => `/tailnet/-/vip-services/${encodeURIComponent(name)}`
  const lists = {
    devices: list('listing the devices', 'devices', '/tailnet/-/devices'),
    keys: list('listing the keys', 'keys', '/tailnet/-/keys'),
    services: list('listing the Services', 'vip-services', '/tailnet/-/vip-services'),
  }
  const getService: TailscaleApi['getService'] = (name, signal) =>
    unlessGone(ask(get(`getting ${name}`, 'vip-services', servicePath(name)), parseService, signal))

  return {
    mintKey: ({ tags, description, expirySeconds }, signal) => {
      const create = { reusable: false, ephemeral: false, preauthorized: true, tags }
      const body = json({ capabilities: { devices: { create } }, expirySeconds, description })
      const action = `making an auth key with ${tags.join(', ')}`
      return ask(
        { action, feature: 'keys', method: 'POST', once: true, path: '/tailnet/-/keys', body },
        parseKey,
        signal,
      )
    },
    removeKey: (id, signal) => remove(`removing key ${id}`, 'keys', keyPath(id), signal),
    getKey: (id, signal) => unlessGone(ask(get(`getting key ${id}`, 'keys', keyPath(id)), parseKnownKey, signal)),
    getDevice: async (id, signal) =>
      id === ''
        ? undefined
        : unlessGone(ask(get(`getting device ${id}`, 'devices', `${devicePath(id)}?fields=all`), parseDevice, signal)),
    listDevices: (signal) => ask(lists.devices, parseDevices, signal),
    removeDevice: async (id, signal) => {
      if (id !== '') await remove(`removing device ${id}`, 'devices', devicePath(id), signal)
    },
    getService,
    listServices: (signal) => ask(lists.services, parseServices, signal),
    putService: async ({ addrs, ...service }, signal) => {
      const { name } = service
      const action = `putting ${name}`
      const body = json({ ...service, ...(addrs.length > 0 && { addrs }) })
      const put: ApiRequest = { action, feature: 'vip-services', method: 'PUT', path: servicePath(name), body }
      await ask(put, () => undefined, signal)
      const after = await getService(name, signal)
      if (after !== undefined) return after
      throw new ApiError(`Tailscale API: ${action}: it was gone at once`, { problem: 'unavailable' })
    },
    removeService: (name, signal) => remove(`removing ${name}`, 'vip-services', servicePath(name), signal),
    check: async (signal) => {
      const problems: ApiError[] = []
      for (const request of Object.values(lists)) {
        try {
          await ask(request, () => undefined, signal)
        } catch (error) {
          if (!(error instanceof ApiError && ['no-route', 'forbidden'].includes(error.problem))) throw error
          problems.push(error)
          if (error.lacks === tokenFeature) break
        }
      }
      return problems
    },
    autoApprovers: (signal) => ask(get('getting the policy', 'policy', '/tailnet/-/acl'), parseAutoApprovers, signal),
    hasHttps: (signal) =>
      ask(get('getting the settings', 'settings', '/tailnet/-/settings'), parseSwitch('httpsEnabled'), signal),
    hasMagicDns: (signal) =>
      ask(get('getting the DNS preferences', 'dns', '/tailnet/-/dns/preferences'), parseSwitch('magicDNS'), signal),
    lacks: () => absent,
  }
}

function baseOf(url: string): Base {
  const { origin, pathname } = new URL(url)
  return { origin, prefix: pathname.replace(/\/+$/, '') }
}

/** What is told of a call that was not sent. */
const busy = ({ action }: ApiRequest, ms: number): ApiError =>
  new ApiError(`Tailscale API: ${action} has to wait: the server takes no more calls for ${Math.ceil(ms / 1000)} s`, {
    problem: 'limited',
    retryAfterMs: ms,
  })

const json = (value: unknown) => ({ type: 'application/json', text: JSON.stringify(value) })

/** Undefined if the API itself says that there is no such thing; `no-route` is another error. */
async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof ApiError && error.status === 404 && error.problem === 'refused') return undefined
    throw error
  }
}
