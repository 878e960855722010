import { randomUUID } from 'node:crypto'
import type { Api } from '../../kube/controller/api.ts'
import { isStale } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { namespaces, secrets } from '../objects/resources.ts'
import { deviceIdIn, textIn } from '../proxy/state.ts'
import type { OperatorSettings } from '../settings/settings.ts'

/** Who this operator is among all that own Services of a tailnet. The same for all its replicas. */
export type Identity = {
  /** In the owner references that it writes. */
  readonly operatorId: string
  /** What it was called before: references with these are its own, too. */
  readonly former: readonly string[]
  /** Where it runs: the UID of the cluster and its namespace. Nobody else has it, and it cannot get lost. */
  readonly place: string
}

/** The Secret that keeps the ID. It has no labels: no operator takes it for an object of a proxy. */
export const identitySecret = 'culvert-operator-id'
const keys = { id: 'operator-id', former: 'former-ids' } as const

type Options = {
  readonly api: Pick<Api, 'get' | 'create' | 'patch'>
  readonly settings: Pick<OperatorSettings, 'namespace' | 'operatorId' | 'operatorSecret'>
  readonly manager: string
}

/** How often somebody else may be faster. */
const mostAttempts = 5

/**
 * Gives the function that finds out who this operator is. The ID is the configured one; else that of the node which
 * Tailscale's operator had, as that is in the owner references that it has written; else one that is made once. It is
 * kept in a Secret, so that references are still known when its origin is gone.
 * @throws KubeError if that cannot be read or kept; the next call tries it again
 */
export function identityOf({ api, settings, manager }: Options): (signal: AbortSignal) => Promise<Identity> {
  const { namespace, operatorId, operatorSecret } = settings
  const at = { namespace, name: identitySecret }
  let known: Identity | undefined

  const given = async (signal: AbortSignal): Promise<string | undefined> => {
    if (operatorId !== '') return operatorId
    if (operatorSecret === '') return undefined
    const state = await api.get(secrets, { namespace, name: operatorSecret }, signal)
    return state && deviceIdIn(state)
  }

  const keep = async (present: KubeObject | undefined, id: string, former: readonly string[], signal: AbortSignal) => {
    const data = { [keys.id]: encoded(id), [keys.former]: encoded(former.join('\n')) }
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: at, type: 'Opaque', data }
    const resourceVersion = present?.metadata.resourceVersion
    const patch = { type: 'merge', body: { metadata: { resourceVersion }, data }, manager } as const
    await (present === undefined ? api.create(secrets, secret, signal) : api.patch(secrets, at, patch, signal))
  }

  const find = async (signal: AbortSignal): Promise<Identity> => {
    const present = await api.get(secrets, at, signal)
    const kept = textIn(present, keys.id)
    const before = [...(textIn(present, keys.former)?.split('\n') ?? []), ...(kept === undefined ? [] : [kept])]
    const id = (await given(signal)) ?? kept ?? randomUUID()
    const former = [...new Set(before)].filter((one) => one !== id)
    if (id !== kept) await keep(present, id, former, signal)
    const cluster = await api.get(namespaces, { name: 'kube-system' }, signal)
    return { operatorId: id, former, place: `${cluster?.metadata.uid ?? ''}/${namespace}` }
  }

  return async (signal) => {
    for (let attempt = 1; known === undefined; attempt += 1) {
      try {
        known = await find(signal)
      } catch (error) {
        if (attempt === mostAttempts || !isStale(error)) throw error
      }
    }
    return known
  }
}

const encoded = (text: string): string => Buffer.from(text).toString('base64')
