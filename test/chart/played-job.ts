import { expect, onTestFailed } from 'vitest'
import type { Bed } from '../lab/bed.ts'
import type { KubeObject } from '../lab/cluster/kubectl.ts'
import { namespace, OperatorProcess } from '../operator/operator-process.ts'

/** A Deployment or a Job. */
export type Workload = KubeObject & { readonly spec: { readonly template: { readonly spec: PodSpec } } }
type PodSpec = { readonly containers: readonly [{ readonly args: readonly string[] }] }

/** Does what the cluster's controllers do for Deployment and Job of the release; gives what the cleanup has logged. */
export async function playJob(bed: Bed, operator: OperatorProcess): Promise<readonly string[]> {
  const { cluster } = bed
  const job = () => cluster.get<Workload>('job', 'operator-cleanup', namespace)
  await expect.poll(job).toBeDefined()
  const { args } = (await job())!.spec.template.spec.containers[0]
  await using cleanup = await OperatorProcess.run(bed, args)
  onTestFailed(() => console.error(cleanup.logged.join('\n')))
  await expect.poll(() => cluster.get('deployment', 'operator', namespace)).toMatchObject({ spec: { replicas: 0 } })
  expect(await operator.stop()).toBe(0)
  expect(await cleanup.end()).toBe(0)
  const at0 = '2026-01-01T00:00:00Z'
  const done = ['SuccessCriteriaMet', 'Complete'].map((type) => ({ type, status: 'True' }))
  const status = { conditions: done, succeeded: 1, startTime: at0, completionTime: at0 }
  const patch = ['--subresource=status', '--type=merge', `--patch=${JSON.stringify({ status })}`]
  await cluster.kubectl(['patch', 'job', 'operator-cleanup', `--namespace=${namespace}`, ...patch])
  return cleanup.logged
}

/** Does what kubelet does for the Pod of `helm test`. */
export async function playCheck(bed: Bed): Promise<void> {
  const { cluster } = bed
  type Pod = KubeObject & { readonly spec: PodSpec }
  const pod = () => cluster.get<Pod>('pod', 'operator-check', namespace)
  await expect.poll(pod).toBeDefined()
  await using check = await OperatorProcess.run(bed, (await pod())!.spec.containers[0].args)
  expect(await check.end()).toBe(0)
  const patch = ['--subresource=status', '--type=merge', '--patch={"status":{"phase":"Succeeded"}}']
  await cluster.kubectl(['patch', 'pod', 'operator-check', `--namespace=${namespace}`, ...patch])
}
