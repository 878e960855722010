import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { goBuild, goInputs, moduleSource } from './go.ts'
import { k8sOperator, tailscale80 } from './module.ts'
import type { Part } from './part.ts'
import { asReleased, patched104, type Release } from './patched.ts'

const packageOf = (program: string): string => `tailscale.com/cmd/${program}`

/** A part with both programs of another release. */
const release = <Name extends string>(name: Name, { module, recipe, prepared }: Release): Part<Name> => ({
  name,
  inputs: async () => `${recipe}\n${await goInputs({ module, package: packageOf('...') })}`,
  build: (into, note) =>
    prepared(async (ready) => {
      for (const one of ['tailscale', 'tailscaled'])
        await goBuild({ module: ready, package: packageOf(one) }, join(into, one), note)
    }),
})

/**
 * Tailscale's operator, with its chart and its CRDs. The program is called as in its image, since it is by that name
 * that the API server knows whose fields are whose.
 */
const operator = <Name extends string>(name: Name, { module, recipe, prepared }: Release): Part<Name> => ({
  name,
  inputs: async () => `${recipe}\n${await goInputs({ module, package: packageOf('k8s-operator') })}`,
  build: async (into, note) => {
    await prepared((ready) =>
      goBuild({ module: ready, package: packageOf('k8s-operator') }, join(into, 'operator'), note),
    )
    const deploy = join(await moduleSource(module, 'tailscale.com'), 'cmd/k8s-operator/deploy')
    for (const folder of ['chart', 'crds']) await cp(join(deploy, folder), join(into, folder), { recursive: true })
  },
})

/** The oldest and the newest release of tailscaled that the agent supports, and the operators that ours takes over from. */
export const releases = [
  release('tailscale-1.80', asReleased(tailscale80)),
  release('tailscale-1.104', patched104),
  operator('k8s-operator-1.102', asReleased(k8sOperator)),
  operator('k8s-operator-1.104', patched104),
] as const
