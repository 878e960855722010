import { buildAgent } from '../../../tools/build.ts'
import { startBed } from '../bed.ts'
import { startAgent } from './agent.ts'
import { startBackend } from './backend.ts'
import type { Variant } from './variant.ts'

/** The agent as a process of a host, without Kubernetes. */
export const hosts: Variant = {
  groups: [],
  steps: 4,
  play: async ({ name, owned, started }, steps) => {
    const bundle = await steps.step('bundle the agent', buildAgent)
    const bed = await steps.step('start the tailnet', () => startBed({ name, owned }))
    started(bed)
    const backend = await steps.step('start a backend', () => startBackend(bed))
    const proxy = await steps.step('start the agent in front of it', (note) =>
      startAgent(bed, bundle, [backend.v4, backend.v6], note),
    )
    return { bed, proxy, backend }
  },
  look: (name) => [
    `exec --name ${name} client -- tailscale status`,
    `exec --name ${name} client -- tailscale ping proxy`,
    `exec --name ${name} proxy -- nft list ruleset`,
    `logs --name ${name} proxy`,
  ],
}
