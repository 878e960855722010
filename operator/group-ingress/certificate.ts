import * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import { optional } from '../../lib/json.ts'
import { labels } from '../objects/names.ts'
import { labelsOf, labelValue, type Parent } from '../objects/parent.ts'
import { secrets } from '../objects/resources.ts'
import { failedRequest } from '../proxy/certificate.ts'
import { accountSubjects } from '../proxy/rights.ts'
import { textIn } from '../proxy/state.ts'
import type { GroupView } from '../group/use.ts'
import type { World } from '../world/world.ts'
import { approval } from './names.ts'
import { replicaOf, replicaName } from './replicas.ts'

const domainLabel = 'tailscale.com/domain'

/** What is made for a certificate that the replicas of groups share. */
type Certificate = {
  /** Of the site, and of all objects. */
  readonly fqdn: string
  readonly parent: Parent
  /** Whose replicas issue it. */
  readonly group: string
  /** The service accounts of all that read it. */
  readonly accounts: readonly string[]
  readonly namespace: string
}

const labelsFor = ({ fqdn, parent, group }: Certificate) => ({
  ...labelsOf(parent),
  [labels.proxyGroup]: group,
  [domainLabel]: labelValue(fqdn),
})

/** What the operator has to say of the Secret. What is in it is the agents'. */
export const certificateSecret = (certificate: Certificate): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: {
    name: certificate.fqdn,
    namespace: certificate.namespace,
    labels: { ...labelsFor(certificate), [labels.secretType]: 'certs' },
  },
  type: 'kubernetes.io/tls',
})

/** The Secret as it is created: the API wants both keys. */
export const emptySecret = (certificate: Certificate): KubeObject => ({
  ...certificateSecret(certificate),
  data: { 'tls.crt': '', 'tls.key': '' },
})

/**
 * What lets the replicas use it: all have one service account, and which of them writes is the agents' choice.
 * tailscaled finds renewed certificates by a list with a selector, which no rule with names allows. So a group may list
 * Secrets while it has a certificate, and otherwise not.
 */
export function certificateRights(certificate: Certificate): readonly KubeObject[] {
  const { fqdn: name, accounts, namespace } = certificate
  const metadata = { name, namespace, labels: labelsFor(certificate) }
  return [
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata,
      rules: [
        { apiGroups: [''], resources: ['secrets'], resourceNames: [name], verbs: ['get', 'patch', 'update'] },
        { apiGroups: [''], resources: ['secrets'], verbs: ['list'] },
      ],
    },
    {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
      subjects: accountSubjects(accounts, namespace),
    },
  ]
}

const binding = z.object({ subjects: optional(z.array(z.object({ name: z.string() }))) })

/** The groups whose replicas may use a certificate, by its RoleBinding. */
export const usersOf = (roleBinding: KubeObject | undefined): readonly string[] =>
  z.safeParse(binding, roleBinding).data?.subjects?.map(({ name }) => name) ?? []

/** Whether a Secret is there for a certificate of this name, whoever's site it was made for. */
export const isCertificateOf = (fqdn: string, { metadata: { labels: all = {} } }: KubeObject): boolean =>
  all[labels.managed] === 'true' && all[domainLabel] === labelValue(fqdn)

/** Whether a certificate for a name has been issued. */
export function isIssuedFor(world: Pick<World, 'get'>, fqdn: string, namespace: string): boolean {
  const secret = world.get(secrets, `${namespace}/${fqdn}`)
  return textIn(secret, 'tls.crt') !== undefined && textIn(secret, 'tls.key') !== undefined
}

/** What is missing until there is a certificate; undefined: it is there. */
export function certificateLack(view: GroupView, fqdn: string, service: string): string | undefined {
  const { world, settings, group } = view
  if (isIssuedFor(world, fqdn, settings.namespace)) return undefined
  const issuer = replicaName(group.name, 0)
  const state = world.get(secrets, `${settings.namespace}/${issuer}`)
  const failed = failedRequest(state, fqdn, issuer)
  if (failed !== undefined) return failed
  const { isCurrent, accepted } = replicaOf(view, 0)
  if (!isCurrent) return `a certificate for ${fqdn}: ${issuer}, which requests it, does not run`
  const isAccepted = accepted?.has(service)
  const host = `accepts it as a host of ${service}, ${approval}`
  if (isAccepted === false) return `a certificate for ${fqdn}: ${issuer} requests it once the tailnet ${host}`
  const alsoHost = isAccepted === undefined ? ` and ${host}` : ''
  return `a certificate for ${fqdn}: ${issuer} requests it once the tailnet has HTTPS certificates${alsoHost}; its log says what it waits for`
}
