import type { KubeObject } from '../lab/cluster/kubectl.ts'
import { chart, helm } from '../lab/helm.ts'
import { readYaml } from '../users/readers/yaml.ts'

/** The objects that `helm template` makes of the chart, without hooks of tests; `values` are further arguments. */
export async function render(...values: readonly string[]): Promise<KubeObject[]> {
  const { stdout } = await helm(['template', 'operator', chart, '--skip-tests', '--namespace=tailscale', ...values])
  return readYaml<KubeObject | null>(stdout).filter((object) => object !== null)
}
