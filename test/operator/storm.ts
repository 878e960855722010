import { expect } from 'vitest'
import type { Fault, FaultyProxy } from '../kube/controller/faulty-proxy.ts'
import type { ControlClient } from '../lab/control-client.ts'
import { oneOf } from './random.ts'
import type { ReplicasBed } from './replicas-bed.ts'
import type { Replicas } from './replicas.ts'

/** What an API server does to requests now and then; undefined: nothing. */
const often: readonly (Fault | undefined)[] = [
  ...Array.from({ length: 17 }, () => undefined),
  { status: 429, retryAfter: '1' },
  { status: 500 },
  { delay: 300 },
]

/**
 * From now on the API server refuses the first two tries of each write as conflicts, and is slow, busy, broken, or has
 * forgotten versions, at random; but for the Lease. Gives what ends that.
 */
function stir(proxy: FaultyProxy): () => void {
  const before = proxy.fault
  const tries = new Map<string, number>()
  proxy.fault = (seen) => {
    const { method, url } = seen
    const fault = before(seen)
    if (url.includes('/leases')) return fault
    if (method === 'GET') return /watch=true|limit=/.test(url) ? oneOf([...often, { status: 410 }]) : oneOf(often)
    const path = `${method} ${url.split('?')[0]}`
    const count = (tries.get(path) ?? 0) + 1
    tries.set(path, count)
    // The client itself repeats a patch once.
    return count <= 2 ? { status: 409 } : oneOf(often)
  }
  return () => void (proxy.fault = before)
}

/** From now on Tailscale's API fails once in every way that it can, but that no key is lost. */
async function trouble(control: ControlClient): Promise<void> {
  const keys = { method: 'POST', path: '/tailnet/-/keys' }
  await control.addApiFault({ path: '/oauth', status: 503 })
  await control.addApiFault({ ...keys, status: 429, retryAfter: '1' })
  await control.addApiFault({ ...keys, status: 500 })
  await control.addApiFault({ ...keys, seconds: 1 })
  await control.addApiFault({ ...keys, cut: true })
  const devices = { path: '/device' }
  await control.addApiFault({ ...devices, status: 503 })
  await control.addApiFault({ ...devices, seconds: 1, status: 500 })
  await control.addApiFault({ ...devices, cut: true })
  // It is removed, and nobody is told.
  await control.addApiFault({ ...devices, method: 'DELETE', cut: true, done: true })
}

/** Everything around replicas fails for a while, a number of times, after each of which all is as it is to be. */
export async function weathers(here: ReplicasBed, replicas: Replicas, rounds: number): Promise<void> {
  const { control, cluster } = here.bed
  const apiServer = cluster.component('kube-apiserver')
  const written = () => replicas.all.flatMap(({ name }) => replicas.writesOf(name)).length
  for (let round = 0; round < rounds; round += 1) {
    const names = Array.from({ length: 4 }, (_, index) => `storm-${round}-${index}`)
    const before = written()
    const stills = replicas.all.map(({ proxy }) => stir(proxy))
    await trouble(control)
    for (const name of names) await here.expose(name)
    await expect.poll(() => (replicas.revive(), written())).toBeGreaterThan(before + 25)
    for (const { proxy } of replicas.all) proxy.cutWatches()
    await here.remove(names[0]!)
    await apiServer.kill()
    await apiServer.start()
    await here.remove(names[1]!)
    for (const still of stills) still()
    await control.removeApiFaults()
    await here.settles(replicas)
  }
  // Earlier tests of the bed may have left keys: of a replica that was killed, one may be known nowhere.
  const left = (await control.keys()).filter(({ description }) => description.includes('storm-'))
  expect(left).toEqual([])
}
