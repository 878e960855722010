import { setTimeout as delay } from 'node:timers/promises'
import type { Replica } from './replicas.ts'

const isWork = ({ method, url }: { readonly method: string; readonly url: string }): boolean =>
  method !== 'GET' && !url.includes('/leases/')

async function kill({ process }: Replica): Promise<void> {
  process.signal('SIGKILL')
  await process.end()
}

/** Kills a replica at a random moment. */
export async function killAtOnce(replica: Replica): Promise<void> {
  await delay(1500 * Math.random())
  await kill(replica)
}

/**
 * Kills a replica at a random one of its next writes, before the API server gets it or before the replica learns that it
 * was done; or after a while, if there are fewer.
 */
export async function killAtWrite(replica: Replica): Promise<void> {
  const { proxy, process } = replica
  const { fault, answered } = proxy
  const due = Promise.withResolvers<void>()
  const isBefore = Math.random() < 0.5
  let left = Math.ceil(40 * Math.random())
  const count: typeof fault = (seen) => {
    if (isWork(seen)) left -= 1
    if (left > 0) return undefined
    process.signal('SIGKILL')
    due.resolve()
    // Until the connection is gone.
    return { delay: 50 }
  }
  if (isBefore) proxy.fault = (seen) => fault(seen) ?? count(seen)
  else
    proxy.answered = (seen, status) => {
      answered(seen, status)
      count(seen)
    }
  await Promise.race([due.promise, delay(3000)])
  await kill(replica)
  Object.assign(proxy, { fault, answered })
}
