import * as z from 'zod/mini'
import { codeOf } from '../lib/errors.ts'
import type { LocalApi } from './client.ts'
import { LocalApiError } from './error.ts'

/** `disco`: tailscaled itself, by any path. `TSMP`: the same through the tunnel, which this establishes. */
export type PingKind = 'disco' | 'TSMP'

const answerSchema = z.object({ Err: z.optional(z.string()) })

/**
 * Whether the node with this address answers within `timeoutMs`; it may not be known yet.
 * @throws LocalApiError when tailscaled does not answer as documented
 */
export async function ping(
  api: Pick<LocalApi, 'post'>,
  { address, kind }: { readonly address: string; readonly kind: PingKind },
  signal: AbortSignal,
  timeoutMs: number,
): Promise<boolean> {
  try {
    const body = await api.post(`ping?ip=${encodeURIComponent(address)}&type=${kind}`, signal, timeoutMs)
    const { Err = '' } = z.parse(answerSchema, JSON.parse(body))
    return Err === ''
  } catch (error) {
    if (error instanceof LocalApiError && isTimeout(error)) return false
    throw error instanceof LocalApiError ? error : new LocalApiError('LocalAPI ping failed', error)
  }
}

const isTimeout = ({ cause }: LocalApiError): boolean => codeOf(cause) === 'ETIMEDOUT'
