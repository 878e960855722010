import { services } from '../../operator/objects/resources.ts'
import { type ApiBed, never } from '../../test/kube/controller/api-bed.ts'
import type { Bed } from '../../test/lab/bed.ts'
import { poll } from '../../test/lab/poll.ts'
import { OperatorProcess } from '../../test/operator/operator-process.ts'
import type { Section } from '../section.ts'
import { apps } from './exposed.ts'

/** Of operators; tests have others. */
const usual = { CULVERT_LEASE_DURATION: '15s', CULVERT_LEASE_RENEW_DEADLINE: '10s' }

type Standing = { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }

/**
 * How long a Service waits for its proxy that is made when the leader of two replicas is ended, after an orderly end
 * and after a crash. There are proxies of other Services already.
 */
export async function measureTakeover(bed: Bed, kube: ApiBed, program: string, repeats: number): Promise<Section> {
  const times: Record<'SIGTERM' | 'SIGKILL', number[]> = { SIGTERM: [], SIGKILL: [] }
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const)
      times[signal].push(await takeover(bed, kube, program, signal, `takeover-${signal.toLowerCase()}-${repeat}`))
  }
  return {
    title: 'A replica of the operator takes over',
    ours: 'after SIGTERM',
    against: 'after SIGKILL',
    rows: [
      {
        what: 'until a Service is ready that was made when the leader ended',
        unit: 's',
        better: 'less',
        ours: times.SIGTERM,
        other: times.SIGKILL,
        goal: 0.2,
      },
    ],
    note: 'Two replicas with the usual times of the Lease, among the proxies of the section before.',
  }
}

async function takeover(
  bed: Bed,
  kube: ApiBed,
  program: string,
  signal: 'SIGTERM' | 'SIGKILL',
  name: string,
): Promise<number> {
  await using leader = await OperatorProcess.start(bed, usual, program)
  await poll('that it is the leader', () => leader.logged.includes('is the leader') || undefined)
  await using other = await OperatorProcess.start(bed, { ...usual, CULVERT_OPERATOR_PORT: '9003' }, program)
  if (!other.logged.includes('stands by')) throw new Error('both are leaders')
  const begun = performance.now()
  leader.signal(signal)
  const metadata = { name, namespace: apps.metadata.name, annotations: { 'tailscale.com/expose': 'true' } }
  const spec = { selector: { app: 'a' }, ports: [{ port: 80 }] }
  await kube.direct.create(services, { apiVersion: 'v1', kind: 'Service', metadata, spec }, never)
  await poll(`that ${name} is ready`, async () => {
    const status = (await kube.direct.get(services, metadata, never))?.['status'] as Standing | undefined
    const ready = status?.conditions?.find(({ type }) => type === 'TailscaleProxyReady')
    return ready?.status === 'True' || undefined
  })
  return (performance.now() - begun) / 1000
}
