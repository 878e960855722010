import { join } from 'node:path'
import type { Bed } from '../../lab/bed.ts'
import { projectRoot } from '../../lab/paths.ts'
import { namespace } from '../operator-process.ts'

const files = ['operator/crds', 'docs/examples/operator.yaml'].map((file) => `--filename=${join(projectRoot, file)}`)

/** Puts our operator in the place of Tailscale's, by the commands of docs/coming-from-tailscale.md. */
export async function installInPlace(bed: Bed): Promise<void> {
  await removeDeployment(bed)
  await bed.cluster.kubectl(['apply', '--server-side', '--force-conflicts', ...files])
}

/** Removes the Deployment of either operator, and the Pod in which ours goes on as the node of Tailscale's. */
export async function removeDeployment({ cluster }: Bed): Promise<void> {
  await cluster.kubectl(['delete', 'deployment', 'operator', `--namespace=${namespace}`])
  const how = [`--namespace=${namespace}`, '--cascade=foreground', '--ignore-not-found']
  await cluster.kubectl(['delete', 'statefulset', 'apiserver-proxy', ...how])
}
