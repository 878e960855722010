import { parseEgressServices } from '../../wire/egress-services.ts'
import { parseHealthPings } from '../../wire/health-pings.ts'
import { parseIngressServices } from '../../wire/ingress-services.ts'
import { parseServeFile } from '../../wire/serve-file.ts'
import type { MountedFiles } from '../world/world.ts'

/** One kind of mounted document. */
export type Document<Content> = {
  /** Its name in log, status and metrics. */
  readonly name: string
  /** The value of an empty document, and how one is written. */
  readonly nothing: { readonly content: Content; readonly text: string }
  /** Whether it is asked for by name, so that its absence is a mistake. */
  readonly required?: boolean
  /** @throws CulvertError when nothing in it can be used */
  readonly parse: (bytes: Buffer, before?: Content) => Content
}

export const mountedKeys = [
  'egressServices',
  'healthPings',
  'ingressServices',
  'serveConfig',
] as const satisfies readonly (keyof MountedFiles)[]
export type MountedKey = (typeof mountedKeys)[number]

type ContentOf<Key extends MountedKey> = NonNullable<NonNullable<MountedFiles[Key]>['content']>

const nothingServed = { content: { config: {}, rejections: [], warnings: [] }, text: '{}' }
const noServices = { content: { services: new Map(), rejections: [] }, text: '{}' }

export const documents = {
  egressServices: { name: 'egress-services', nothing: noServices, parse: parseEgressServices },
  healthPings: { name: 'hep-pings', nothing: { content: 0, text: '0' }, parse: parseHealthPings },
  ingressServices: { name: 'ingress-config.json', nothing: noServices, parse: parseIngressServices },
  serveConfig: { name: 'serve-config', nothing: nothingServed, parse: parseServeFile },
} as const satisfies { readonly [Key in keyof MountedFiles]-?: Document<ContentOf<Key>> }
