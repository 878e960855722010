import type { Api } from '../../kube/controller/api.ts'
import type { Refused } from '../kind.ts'
import { serviceAccounts } from '../objects/resources.ts'

/** The service account of API server proxies that impersonate. The chart makes it, since its right is not the operator's to give. */
export const authAccount = 'kube-apiserver-auth-proxy'

export type AccountOptions = {
  readonly api: Pick<Api, 'get'>
  readonly namespace: string
  /** The reason that tells it. */
  readonly reason: string
  readonly remedy: string
}

/** What keeps proxies from running that impersonate: undefined if they have the account for that. */
export async function withoutAuthAccount(
  { api, namespace, reason, remedy }: AccountOptions,
  signal: AbortSignal,
): Promise<{ readonly refused: Refused; readonly again: number } | undefined> {
  if ((await api.get(serviceAccounts, { namespace, name: authAccount }, signal)) !== undefined) return undefined
  const message = `in the mode auth its Pods run as the ServiceAccount "${authAccount}", which namespace "${namespace}" does not have. ${remedy}`
  return { refused: { as: 'invalid', reason, message }, again: againMs }
}

/** Nothing tells when somebody else has made it. */
const againMs = 30_000
