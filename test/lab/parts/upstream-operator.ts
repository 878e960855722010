import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { goBuild, goInputs, moduleSource } from './go.ts'
import { k8sOperator as module } from './module.ts'
import type { Part } from './part.ts'

const program = { module, package: 'tailscale.com/cmd/k8s-operator' } as const

/**
 * Tailscale's operator, with its chart and its CRDs. The program is called as in its image, since it is by that name
 * that the API server knows whose fields are whose.
 */
export const upstreamOperator: Part<'k8s-operator'> = {
  name: 'k8s-operator',
  inputs: () => goInputs(program),
  build: async (into, note) => {
    await goBuild(program, join(into, 'operator'), note)
    const deploy = join(await moduleSource(module, 'tailscale.com'), 'cmd/k8s-operator/deploy')
    for (const folder of ['chart', 'crds']) await cp(join(deploy, folder), join(into, folder), { recursive: true })
  },
}
