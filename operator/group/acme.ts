import type { KubeObject } from '../../kube/controller/object.ts'
import { labels } from '../objects/names.ts'
import type { Variable } from '../proxy/request.ts'
import type { Rule } from '../proxy/rights.ts'
import type { OperatorSettings } from '../settings/settings.ts'
import type { Group } from './group.ts'

/** The Secret with the ACME accounts that groups share; tailscaled writes them. */
export const acmeSecret = 'tailscale-acme-accounts'
/** The field for proxies of the operator's own tailnet. */
const field = '_default.acme-account.key.pem'
/** Keeps the accounts while groups use them: the limits of a new one at the authority are narrower. */
export const acmeFinalizer = 'tailscale.com/acme-account-protection'

/** Whether the proxies of a group share an ACME account with those of other groups. */
export const sharesAccount = (
  { type, sharesAcmeAccount }: Group,
  { sharesAcmeAccount: byDefault }: Pick<OperatorSettings, 'sharesAcmeAccount'>,
): boolean => type === 'ingress' && (sharesAcmeAccount ?? byDefault)

/** The variables of certificates: which account is used, or that a certificate is renewed without looking at the CA. */
export const acmeVariables = (group: Group, settings: OperatorSettings): readonly Variable[] =>
  group.type === 'egress'
    ? []
    : sharesAccount(group, settings)
      ? [
          { name: 'TS_ACME_ACCOUNT_SECRET_NAME', value: acmeSecret },
          { name: 'TS_ACME_ACCOUNT_FIELD', value: field },
        ]
      : [{ name: 'TS_DEBUG_ACME_FORCE_RENEWAL', value: 'true' }]

export const acmeRules = (group: Group, settings: OperatorSettings): readonly Rule[] =>
  sharesAccount(group, settings)
    ? [{ apiGroups: [''], resources: ['secrets'], resourceNames: [acmeSecret], verbs: ['get', 'patch', 'update'] }]
    : []

/** As far as the operator writes it. It belongs to no group, and stays when the last one goes. */
export const acmeAccounts = (namespace: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: acmeSecret, namespace, labels: { [labels.managed]: 'true' }, finalizers: [acmeFinalizer] },
})
