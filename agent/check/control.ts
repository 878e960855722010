import { withPort, parseAddress } from '../../lib/address.ts'
import type { Clock } from '../../lib/clock.ts'
import { declareFindings } from '../../lib/declared-finding.ts'
import type { Finding } from '../../lib/finding.ts'
import { flagValue } from '../../lib/go-flags.ts'
import { getControl } from '../../localapi/prefs.ts'
import { capabilityVersion } from '../../wire/capability-version.ts'
import { endpointOf } from '../../kube/service-account.ts'
import type { Environment } from '../settings/read.ts'
import { type Head, headOf } from './head.ts'
import type { Look, Looking } from './looking.ts'

export const control = declareFindings('control', {
  ok: {
    level: 'ok',
    text: 'the control server {url} answers',
    meaning: 'It was asked for a page that needs no login.',
  },
  unreachable: {
    level: 'error',
    text: 'the control server {url} does not answer as it should: {problem}',
    remedy:
      'Let the Pod out to it (DNS, network policies, a proxy that wants to be named by HTTPS_PROXY), or correct --login-server.',
    meaning:
      'It was asked by HTTP for the key that tailscaled asks for first. A node that has logged in goes on without; a new one cannot log in.',
  },
  proxied: {
    level: 'unknown',
    text: 'not known: HTTPS_PROXY is set, through which tailscaled asks the control server',
    meaning: 'The check itself asks without a proxy.',
  },
})

export const clock = declareFindings('clock', {
  ok: {
    level: 'ok',
    text: 'the clock agrees with {whose}',
    meaning: 'Compared with the Date header of the control server or of the API server.',
  },
  unknown: {
    level: 'unknown',
    text: 'not known: no server said what time it is',
    meaning: 'Neither the control server nor the API server answered with a date.',
  },
  skewed: {
    level: 'error',
    text: 'the clock is {seconds} s {direction} that of {whose}, as its Date header says',
    remedy: 'Set the node’s clock: run NTP (chrony, systemd-timesyncd) there. Pods have the clock of their node.',
    meaning:
      'With more than a minute, certificates and tokens count as not yet valid or as expired, and logins fail in ways that are hard to understand.',
  },
})

/** From where on certificates and tokens fail, in seconds. */
const bearable = 60

/** What tailscaled asks for first, without having logged in. */
const key = `/key?v=${capabilityVersion}`

const tailscales = 'https://controlplane.tailscale.com'

/** Where the control server is: as tailscaled says, or as the settings do. */
async function controlUrl({ agent, api, signal, ...settings }: Looking): Promise<string> {
  const told = agent === undefined ? '' : (await getControl(api, signal).catch(() => ({ url: '' }))).url
  return told || controlUrlOf(settings)
}

export const controlUrlOf = ({ file, settings: { up } }: Pick<Looking, 'file' | 'settings'>): string =>
  file?.ServerURL || flagValue(up.extraArgs, 'login-server') || tailscales

export const lookAtControl: Look = async (looking) => {
  const { env, settings, signal } = looking
  const url = await controlUrl(looking)
  const ask = async (path: string, base: string, trust: boolean) =>
    headOf(new URL(path, base).href, { trust, clock: looking.clock, signal })
  const [asked, untrusted, api] = await Promise.all([
    ask(key, url, true).then(
      ({ status }) => (status === 200 ? undefined : { problem: `the status of its answer is ${status}` }),
      (problem: unknown) => ({ problem }),
    ),
    // Where the certificate does not count, since the clock may be the reason.
    ask(key, url, false).catch(() => undefined),
    settings.inKubernetes ? ask('/version', apiUrl(settings), false).catch(() => undefined) : undefined,
  ])
  const reached =
    asked === undefined
      ? control.ok({ url: shown(url) })
      : isProxied(env)
        ? control.proxied()
        : control.unreachable({ url: shown(url), ...asked })
  return [reached, ...judgeClock(untrusted, api, looking.clock)]
}

/** A URL without the password that may be in it. */
export const shown = (url: string): string => url.replace(/\/\/[^/?#]*@/, '//')

/** Whether tailscaled asks servers through a proxy, which this program does not. */
export const isProxied = (env: Environment): boolean => Boolean(env['HTTPS_PROXY'] || env['https_proxy'])

function apiUrl({ cluster }: Looking['settings']): string {
  const { host, port, fallback } = endpointOf(cluster)
  const { host: name, port: at } = fallback ?? { host, port }
  const address = parseAddress(name)
  return `https://${address === undefined ? `${name}:${at}` : withPort(address, at)}`
}

export function judgeClock(
  ofControl: Head | undefined,
  ofApi: Head | undefined,
  { date }: Pick<Clock, 'date'>,
): readonly Finding[] {
  const [whose, theirs] = ofControl?.date
    ? (['the control server', ofControl.date] as const)
    : (['the API server', ofApi?.date] as const)
  if (theirs === undefined) return [clock.unknown()]
  const seconds = Math.round((date().getTime() - theirs.getTime()) / 1000)
  if (Math.abs(seconds) <= bearable) return [clock.ok({ whose })]
  return [clock.skewed({ seconds: Math.abs(seconds), direction: seconds > 0 ? 'ahead of' : 'behind', whose })]
}
