import { parseEgressServices } from '../../wire/egress-services.ts'
import { parseHealthPings } from '../../wire/health-pings.ts'
import { parseIngressServices } from '../../wire/ingress-services.ts'
import { parseServeFile } from '../../wire/serve-file.ts'
import type { World } from '../world/world.ts'
import type { Document, Mounted } from './mounted.ts'

/** The parts of the World that are mounted files. */
export type MountedKey = 'egressServices' | 'healthPings' | 'ingressServices' | 'serveConfig'

type Content<Key extends MountedKey> = NonNullable<World[Key]> extends Mounted<infer Value> ? Value : never

const nothingServed = { content: { config: {}, rejections: [], warnings: [] }, text: '{}' }
const noServices = { content: { services: new Map(), rejections: [] }, text: '{}' }

export const documents = {
  egressServices: { name: 'egress-services', nothing: noServices, parse: parseEgressServices },
  healthPings: { name: 'hep-pings', nothing: { content: 0, text: '0' }, parse: parseHealthPings },
  ingressServices: { name: 'ingress-config.json', nothing: noServices, parse: parseIngressServices },
  serveConfig: { name: 'serve-config', nothing: nothingServed, parse: parseServeFile },
} as const satisfies { readonly [Key in MountedKey]: Document<Content<Key>> }
