import { goProgram } from './go.ts'

/** Everything the bed is made of that is built here. A part is built once for each set of its inputs. */
export const parts = [
  goProgram({ name: 'tailscaled', package: 'tailscale.com/cmd/tailscaled' }),
  goProgram({ name: 'tailscale', package: 'tailscale.com/cmd/tailscale' }),
  // Upstream's agent: the peer that ours is measured against.
  goProgram({ name: 'containerboot', package: 'tailscale.com/cmd/containerboot' }),
  goProgram({ name: 'pebble', package: 'github.com/letsencrypt/pebble/v2/cmd/pebble' }),
  goProgram({ name: 'control', package: '.', ownSource: true }),
] as const

export type PartName = (typeof parts)[number]['name']
