import { type AddressPort, parseAddressPort } from '../../lib/address.ts'
import { flagName } from '../../lib/go-flags.ts'
import { parseBool, parseDuration } from '../../lib/go-values.ts'
import { type EnvReader, refusal } from './env-reader.ts'
import { exclusive, fail, isSet, names, needs, type Rule, userspace } from './rule.ts'
import { logRule } from './log.ts'
import { isInKubernetes, readState } from './state.ts'
import { readTargets } from './targets.ts'
import { tunProblem } from './tun.ts'
import { udpGsoRule } from './udp-gso.ts'
import type { VariableName } from './variables.ts'
import { whoseFlag } from './whose-flag.ts'

const ingress = ['TS_DEST_IP', 'TS_EXPERIMENTAL_DEST_DNS_NAME'] as const satisfies VariableName[]
const egress = ['TS_TAILNET_TARGET_IP', 'TS_TAILNET_TARGET_FQDN'] as const satisfies VariableName[]
const l3 = [...ingress, ...egress]
const oauth = ['TS_CLIENT_ID', 'TS_CLIENT_SECRET', 'TS_ID_TOKEN', 'TS_AUDIENCE'] as const satisfies VariableName[]
const groups = ['TS_EGRESS_PROXIES_CONFIG_PATH', 'TS_INGRESS_PROXIES_CONFIG_PATH'] as const satisfies VariableName[]
const keys = ['TS_AUTHKEY', 'TS_AUTH_KEY', 'TS_CLIENT_SECRET', 'TS_ID_TOKEN'] as const satisfies VariableName[]
const proxies = ['TS_SOCKS5_SERVER', 'TS_OUTBOUND_HTTP_PROXY_LISTEN'] as const satisfies VariableName[]
const viaIngress = 'EXPERIMENTAL_ALLOW_PROXYING_CLUSTER_TRAFFIC_VIA_INGRESS'
const destPorts = 'CULVERT_DEST_PORTS'
const optimizations = 'TS_EXPERIMENTAL_ENABLE_FORWARDING_OPTIMIZATIONS'

/** Whether the listener of TS_LOCAL_ADDR_PORT is needed. */
export const wantsListener = (env: EnvReader): boolean =>
  env.bool('TS_ENABLE_METRICS') || env.bool('TS_ENABLE_HEALTH_CHECK') || isSet(env)('TS_EGRESS_PROXIES_CONFIG_PATH')

/** The name of its variable, if it is needed. */
export const listenerName = (env: EnvReader) => (wantsListener(env) ? (['TS_LOCAL_ADDR_PORT'] as const) : [])

/** In the order of upstream’s own checks: the agent ends with the first that is broken. */
export const rules: readonly Rule[] = [
  {
    rule: `${names(l3)} need \`TS_USERSPACE=false\`; the first two also work with \`${destPorts}\``,
    check: (env) => {
      const name = (isSet(env)(destPorts) ? egress : l3).find(isSet(env))
      if (name === undefined || !env.bool('TS_USERSPACE')) return
      const otherwise = ingress.some((one) => one === name)
        ? `set ${destPorts} to the ports to forward`
        : `unset ${name}`
      fail(`${name}=${env.text(name)} is not supported with ${userspace(env)}: set TS_USERSPACE=false, or ${otherwise}`)
    },
  },
  exclusive('TS_DEST_IP', 'TS_EXPERIMENTAL_DEST_DNS_NAME'),
  exclusive('TS_TAILNET_TARGET_IP', 'TS_TAILNET_TARGET_FQDN'),
  {
    rule: `\`TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR\` excludes settings that belong in the config file: the auth key, \`TS_HOSTNAME\`, \`TS_ACCEPT_DNS\`, \`TS_ROUTES\` (also when it is empty), \`TS_EXTRA_ARGS\`, ${names(oauth)}`,
    check: (env) => {
      if (!isSet(env)('TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR')) return
      const both = [
        ...(parseBool(env.raw('TS_ACCEPT_DNS') ?? '') === undefined ? [] : ['TS_ACCEPT_DNS']),
        ...(env.raw('TS_ROUTES') === undefined ? [] : ['TS_ROUTES']),
        ...(['TS_AUTHKEY', 'TS_AUTH_KEY', 'TS_EXTRA_ARGS', 'TS_HOSTNAME', ...oauth] as const).filter(isSet(env)),
      ]
      if (both.length === 0) return
      fail(
        `TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR cannot be combined with ${both.join(', ')}: unset ${both.length === 1 ? 'it' : 'them'}, and say it in the config file`,
      )
    },
  },
  needs('CULVERT_CONFIG_SECRET', 'TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR'),
  {
    rule: '`TS_ID_TOKEN` and `TS_AUDIENCE` need `TS_CLIENT_ID`',
    check: (env) => {
      const name = (['TS_ID_TOKEN', 'TS_AUDIENCE'] as const).find(isSet(env))
      if (name !== undefined && !isSet(env)('TS_CLIENT_ID')) fail(`${name} needs TS_CLIENT_ID, too`)
    },
  },
  exclusive('TS_ID_TOKEN', 'TS_CLIENT_SECRET', 'TS_AUDIENCE'),
  {
    rule: `\`TS_AUTHKEY\` excludes ${names(oauth)}`,
    check: (env) => {
      const key = (['TS_AUTHKEY', 'TS_AUTH_KEY'] as const).find(isSet(env))
      const others = oauth.filter(isSet(env))
      if (key !== undefined && others.length > 0) fail(`${key} excludes ${others.join(', ')}: set one way to log in`)
    },
  },
  {
    rule: `\`${viaIngress}\` needs \`TS_USERSPACE=false\` and \`POD_IP\``,
    check: (env) => {
      if (!env.bool(viaIngress)) return
      if (env.bool('TS_USERSPACE')) fail(`${viaIngress} is not supported with ${userspace(env)}`)
      if (!isSet(env)('POD_IP')) fail(`${viaIngress} needs POD_IP, too`)
    },
  },
  {
    rule: `\`${optimizations}\` needs \`TS_USERSPACE=false\``,
    check: (env) => {
      if (!env.bool(optimizations) || !env.bool('TS_USERSPACE')) return
      fail(`${optimizations} is not supported with ${userspace(env)}: unset it, or set TS_USERSPACE=false`)
    },
  },
  {
    rule: '`TS_HEALTHCHECK_ADDR_PORT`, `TS_DEBUG_ADDR_PORT` and, if its listener is needed, `TS_LOCAL_ADDR_PORT` are addresses and ports',
    check: (env) => {
      for (const name of ['TS_HEALTHCHECK_ADDR_PORT', ...listenerName(env), 'TS_DEBUG_ADDR_PORT'] as const) {
        const value = env.addressPort(name)
        if (value !== '' && parseAddressPort(value) === undefined) {
          throw refusal(name, value, 'an IP address literal and a port such as 10.0.0.1:9002 or [::]:9002 is accepted')
        }
      }
    },
  },
  {
    rule: '`TS_ENABLE_HEALTH_CHECK` excludes `TS_HEALTHCHECK_ADDR_PORT`',
    check: (env) => {
      if (!env.bool('TS_ENABLE_HEALTH_CHECK') || !isSet(env)('TS_HEALTHCHECK_ADDR_PORT')) return
      fail('TS_HEALTHCHECK_ADDR_PORT is the older form of TS_ENABLE_HEALTH_CHECK with TS_LOCAL_ADDR_PORT: unset it')
    },
  },
  {
    rule: `${names(groups)} need Kubernetes and a state Secret`,
    check: (env) => {
      const name = groups.find(isSet(env))
      if (name === undefined || (isInKubernetes(env) && readState(env).kind === 'secret')) return
      // The wording that upstream's suite waits for.
      fail(`${name} is only supported for Tailscale running on Kubernetes`)
    },
  },
  {
    rule: '`TS_BOOT_TIMEOUT` is a positive duration',
    check: ({ text }) => {
      if ((parseDuration(text('TS_BOOT_TIMEOUT')) ?? 0) > 0) return
      throw refusal(
        'TS_BOOT_TIMEOUT',
        text('TS_BOOT_TIMEOUT'),
        'a positive duration with a unit such as 60s or 1m30s is accepted',
      )
    },
  },
  // The remaining rules are our own.
  {
    rule: `${names(groups)} need \`TS_USERSPACE=false\``,
    check: (env) => {
      const name = groups.find(isSet(env))
      // Upstream's suite runs these in userspace, with netfilter in memory.
      if (name === undefined || !env.bool('TS_USERSPACE') || env.bool('TS_TEST_FAKE_NETFILTER')) return
      fail(`${name} is not supported with ${userspace(env)}: set TS_USERSPACE=false, or unset ${name}`)
    },
  },
  {
    rule: '`--tun` in `TS_TAILSCALED_EXTRA_ARGS` is a device that tailscaled can create; if the agent forwards, it is the name of one device',
    check: (env) => {
      const needsDevice = [...l3, ...groups].find(isSet(env)) ?? (env.bool(viaIngress) ? viaIngress : undefined)
      const problem = tunProblem(env, needsDevice)
      if (problem !== undefined) fail(`TS_TAILSCALED_EXTRA_ARGS: ${problem}`)
    },
  },
  {
    rule: `\`${viaIngress}\` excludes \`TS_TAILNET_TARGET_IP\` and \`TS_TAILNET_TARGET_FQDN\``,
    check: (env) => {
      const name = (['TS_TAILNET_TARGET_IP', 'TS_TAILNET_TARGET_FQDN'] as const).find(isSet(env))
      if (name === undefined || !env.bool(viaIngress)) return
      fail(`${viaIngress} and ${name} exclude each other: both say where all goes that is sent to the Pod`)
    },
  },
  {
    rule: '`TS_DEBUG_ADDR_PORT` differs from the addresses and ports of the agent’s listeners',
    check: (env) => {
      const debug = parseAddressPort(env.addressPort('TS_DEBUG_ADDR_PORT'))
      for (const name of [...listenerName(env), 'TS_HEALTHCHECK_ADDR_PORT'] as const) {
        const other = parseAddressPort(env.addressPort(name))
        if (debug === undefined || other === undefined || !overlap(debug, other)) continue
        fail(
          `TS_DEBUG_ADDR_PORT=${debug.text} and ${name}=${other.text} cannot both be listened on: change the port of one`,
        )
      }
    },
  },
  {
    rule: '`TS_TEST_FAKE_NETFILTER` needs `TS_TEST_ONLY_ROOT`',
    check: (env) => {
      // Without rules in the kernel a real proxy would look ready and forward nothing.
      if (!env.bool('TS_TEST_FAKE_NETFILTER') || isSet(env)('TS_TEST_ONLY_ROOT')) return
      fail('TS_TEST_FAKE_NETFILTER is for tests, and needs TS_TEST_ONLY_ROOT: unset it')
    },
  },
  {
    rule: `${names(keys)} must not be paths: \`file:PATH\` reads a file`,
    check: (env) => {
      const name = keys.find((one) => env.text(one).startsWith('/'))
      if (name !== undefined) fail(`${name} is a path, and would be taken for the key itself: write file:PATH`)
    },
  },
  {
    rule: `${names(proxies)} have a port`,
    check: (env) => {
      const name = proxies.find((one) => isSet(env)(one) && !env.text(one).includes(':'))
      if (name === undefined) return
      throw refusal(name, env.text(name), 'a port behind a colon, such as :1055 or localhost:1055, is accepted')
    },
  },
  {
    rule: '`TS_TAILSCALED_EXTRA_ARGS` contains no flags of `tailscale up`',
    check: ({ words }) => {
      const flag = words('TS_TAILSCALED_EXTRA_ARGS')
        .filter((word) => word.startsWith('-'))
        .map(flagName)
        .find((name) => whoseFlag(name) === 'tailscale up')
      if (flag === undefined) return
      fail(
        `TS_TAILSCALED_EXTRA_ARGS has --${flag}, which is a flag of tailscale up and not of tailscaled: move it to TS_EXTRA_ARGS`,
      )
    },
  },
  {
    rule: `\`${destPorts}\` excludes ${names(egress)}`,
    check: (env) => {
      const name = egress.find(isSet(env))
      if (name === undefined || !isSet(env)(destPorts)) return
      fail(`${destPorts} and ${name} exclude each other: L3 egress forwards all ports of the Pod. Unset one of them`)
    },
  },
  {
    rule: `\`${destPorts}\` needs ${names(ingress, 'or')}`,
    check: (env) => {
      if (!isSet(env)(destPorts) || ingress.some(isSet(env))) return
      fail(`${destPorts} needs a target, too: set ${ingress.join(' or ')}, or unset it`)
    },
  },
  {
    rule: `${names(ingress, 'or')} is no loopback address where \`TS_USERSPACE=true\``,
    check: (env) => {
      if (!env.bool('TS_USERSPACE')) return
      const own = readTargets(env).targets.find(({ text }) => /^(?:127\.|::1$|0\.0\.0\.0$|::$)/.test(text))?.text
      const name = ingress.find(isSet(env))
      if (own === undefined || name === undefined) return
      fail(
        `${name}=${own} is the Pod itself: without a TUN device, tailscaled already passes every port of the node to the same port of 127.0.0.1. Unset ${name}, or set the address of another Pod or a Service`,
      )
    },
  },
  {
    rule: `\`CULVERT_PROXY_PROTOCOL\` needs \`${destPorts}\``,
    check: (env) => {
      if (!isSet(env)('CULVERT_PROXY_PROTOCOL') || isSet(env)(destPorts)) return
      fail(
        `CULVERT_PROXY_PROTOCOL needs ${destPorts}, too: tailscaled writes the client’s address for the ports that it forwards itself. Set ${destPorts} to these, or unset CULVERT_PROXY_PROTOCOL`,
      )
    },
  },
  udpGsoRule,
  logRule,
]

const everyAddress = new Set(['::', '0.0.0.0'])
const overlap = (one: AddressPort, other: AddressPort): boolean =>
  one.port === other.port && (one.host === other.host || everyAddress.has(one.host) || everyAddress.has(other.host))
