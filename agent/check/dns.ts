import { declareFindings } from '../../lib/declared-finding.ts'
import type { Finding } from '../../lib/finding.ts'
import { askDns, type DnsAnswer } from '../../lib/resolver.ts'
import { listed } from '../../lib/some.ts'
import type { Settings } from '../settings/settings.ts'
import { lookUp } from '../targets/look-up.ts'
import { fullNames, podResolvConf, type ResolvConf } from '../targets/resolv-conf.ts'
import type { Look } from './looking.ts'

export const dns = declareFindings('dns', {
  ok: {
    level: 'ok',
    text: 'the resolvers answer: {servers}',
    meaning: 'Each name server of the Pod’s resolv.conf was asked.',
  },
  none: {
    level: 'error',
    text: '/etc/resolv.conf names no resolver, so that no name is found',
    remedy: 'Set dnsPolicy: ClusterFirst for the Pod (with hostNetwork, ClusterFirstWithHostNet), or dnsConfig.',
    meaning: 'The file was read. Names of the control server, the API server and backends cannot be resolved.',
  },
  silent: {
    level: 'error',
    text: 'these resolvers do not answer as they should: {problem}',
    remedy: 'Let UDP and TCP port 53 out to them: network policies, NodeLocal DNS, the DNS service of the cluster.',
    meaning:
      'Each was asked twice for a name of the cluster, or of Tailscale. That a name does not exist is an answer, too.',
  },
  name: {
    level: 'error',
    text: 'the backend’s name {name} has no address: {problem}',
    remedy: 'Correct TS_EXPERIMENTAL_DEST_DNS_NAME; a short name is tried in the domains of the search list only.',
    meaning: 'It was resolved as the agent does it, with the search list of the Pod’s resolv.conf.',
  },
  search: {
    level: 'warning',
    text: 'the search list of /etc/resolv.conf has no domain of the cluster ({list}), so that short names of Services are not found',
    remedy: 'Set dnsPolicy: ClusterFirst for the Pod, or write full names that end in a dot.',
    meaning:
      'In Kubernetes, the list has NAMESPACE.svc.DOMAIN unless dnsPolicy is Default or None. It is told if a short name is used: that of a backend, or kubernetes.default.svc.',
  },
  magicDns: {
    level: 'warning',
    text: 'MagicDNS is off in the tailnet, and targets are set by name',
    remedy: 'Switch it on, on the page DNS of the admin console, or name targets by their addresses.',
    meaning: 'As tailscaled says. Names of Tailscale Services, which are records of MagicDNS, are not known then.',
  },
})

export const lookAtDns: Look = async (looking) => {
  const { settings, signal, agent } = looking
  const resolv = await podResolvConf(settings.root, undefined)
  const servers = resolv.servers.map(({ text }) => text)
  const name = settings.inKubernetes ? 'kubernetes.default.svc.cluster.local.' : 'controlplane.tailscale.com.'
  const [answers, target, magicDns] = await Promise.all([
    Promise.all(
      servers.map(async (server) => ({
        server,
        answer: await askDns({ servers: [server], name, family: 4 }, signal),
      })),
    ),
    targetProblem(settings.targetName, resolv, signal),
    // The rest is known without tailscaled.
    agent === undefined
      ? undefined
      : looking.tailnet().then(
          (tailnet) => tailnet.magicDns,
          () => undefined,
        ),
  ])
  return judgeDns({ resolv, answers, target, magicDns }, settings)
}

async function targetProblem(
  name: string | undefined,
  resolv: ResolvConf,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (name === undefined) return undefined
  const question = { names: fullNames(name, resolv), servers: resolv.servers.map(({ text }) => text), last: undefined }
  const found = await lookUp(question, askDns, signal)
  return 'failed' in found ? found.failed : undefined
}

type Facts = {
  readonly resolv: ResolvConf
  readonly answers: readonly { readonly server: string; readonly answer: DnsAnswer }[]
  /** Why the backend's name has no address. */
  readonly target: string | undefined
  readonly magicDns: boolean | undefined
}

export function judgeDns(
  { resolv: { search }, answers, target, magicDns }: Facts,
  settings: Pick<Settings, 'targetName' | 'inKubernetes' | 'tailnetTarget' | 'cluster'>,
): readonly Finding[] {
  if (answers.length === 0) return [dns.none()]
  const bad = answers.flatMap(({ server, answer }) => (answer.kind === 'failed' ? [answer.reason || server] : []))
  const hasCluster = search.some((domain) => /(?:^|\.)svc\./.test(domain))
  const found: Finding[] = []
  if (bad.length > 0) found.push(dns.silent({ problem: bad.join('; ') }))
  if (target !== undefined) found.push(dns.name({ name: settings.targetName ?? '', problem: target }))
  if (needsSearch(settings) && !hasCluster) found.push(dns.search({ list: search.join(' ') || 'it is empty' }))
  if (magicDns === false && settings.tailnetTarget?.kind === 'name') found.push(dns.magicDns())
  return found.length > 0 ? found : [dns.ok({ servers: listed(answers.map(({ server }) => server)) })]
}

/** Whether a name is used that is only found with the search list of the cluster: a short one, or that of the API. */
const needsSearch = ({
  inKubernetes,
  targetName,
  cluster,
}: Pick<Settings, 'inKubernetes' | 'targetName' | 'cluster'>): boolean =>
  inKubernetes && (!cluster.addressFromEnv || targetName?.includes('.') === false)
