import * as z from 'zod/mini'
import { codeOf } from '../lib/errors.ts'
import type { LocalApi } from './client.ts'
import { LocalApiError } from './error.ts'
import type { Path } from './paths.ts'

/** `disco`: tailscaled itself, by any path. `TSMP`: the same through the tunnel, which this establishes. */
export type PingKind = 'disco' | 'TSMP'

const answerSchema = z.object({
  Err: z.optional(z.string()),
  Endpoint: z.optional(z.string()),
  PeerRelay: z.optional(z.string()),
  DERPRegionCode: z.optional(z.string()),
})

/** How a ping was answered, and by which address and port or which DERP region. */
export type Pong = { readonly path: Path; readonly via: string }

/**
 * How the node with this address answers within `timeoutMs`; undefined if it does not. `size`: that of the ping in
 * bytes, without the headers of IP and UDP; it is larger than it has to be then.
 * @throws LocalApiError when tailscaled does not answer as documented
 */
export async function pong(
  api: Pick<LocalApi, 'post'>,
  { address, kind, size }: { readonly address: string; readonly kind: PingKind; readonly size?: number },
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Pong | undefined> {
  const padded = size === undefined ? '' : `&size=${size}`
  try {
    const body = await api.post(`ping?ip=${encodeURIComponent(address)}&type=${kind}${padded}`, signal, timeoutMs)
    const { Err = '', Endpoint = '', PeerRelay = '', DERPRegionCode = '' } = z.parse(answerSchema, JSON.parse(body))
    if (Err !== '') return undefined
    if (Endpoint !== '') return { path: 'direct', via: Endpoint }
    return PeerRelay === '' ? { path: 'derp', via: DERPRegionCode } : { path: 'peer-relay', via: PeerRelay }
  } catch (error) {
    if (error instanceof LocalApiError && isTimeout(error)) return undefined
    throw error instanceof LocalApiError ? error : new LocalApiError('LocalAPI ping failed', error)
  }
}

/** Whether the node with this address answers within `timeoutMs`; it may not be known yet. Rejects as `pong` does. */
export const ping = async (...asked: Parameters<typeof pong>): Promise<boolean> => (await pong(...asked)) !== undefined

const isTimeout = ({ cause }: LocalApiError): boolean => codeOf(cause) === 'ETIMEDOUT'
