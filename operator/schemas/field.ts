import * as z from 'zod/mini'

/**
 * What two or more fields must be together: as CEL, which the API checks, and as a function for objects that were
 * stored before this rule was there.
 */
export type Rule<T> = { readonly cel: string; readonly message: string; readonly holds: (value: T) => boolean }

/** What a schema of Kubernetes says beside what zod knows. */
export type Extra = {
  readonly format?: 'cidr' | 'date-time' | 'int32' | 'int64'
  readonly default?: number
  readonly 'x-kubernetes-list-type'?: 'map' | 'set' | 'atomic'
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
}

/** A type with what `kubectl explain` says of it. Objects have their rules here, too. */
export function field<T extends z.ZodMiniType>(
  description: string,
  type: T,
  extra: Extra = {},
  rules: readonly Rule<z.output<T>>[] = [],
): T {
  const checked = type.check(...rules.map(({ holds, message }) => z.refine<z.output<T>>(holds, message)))
  const validations = rules.map(({ cel, message }) => ({ rule: cel, message }))
  const more = validations.length === 0 ? {} : { 'x-kubernetes-validations': validations }
  z.globalRegistry.add(checked, { description, ...extra, ...more })
  return checked
}

/** A field that may not be changed any more once it is set; only the API can check that. */
export function immutable<T extends z.ZodMiniType>(description: string, name: string, type: T): T {
  const rule = { rule: 'self == oldSelf', message: `${name} cannot be changed` }
  z.globalRegistry.add(type, { description, 'x-kubernetes-validations': [rule] })
  return type
}

/** An optional field. */
export const maybe = <T extends z.ZodMiniType>(
  description: string,
  type: T,
  extra?: Extra,
  rules?: readonly Rule<z.output<T>>[],
): z.ZodMiniOptional<T> => z.optional(field(description, type, extra, rules))

export const strings = () => z.array(z.string())
export const texts = () => z.record(z.string(), z.string())
/** An object of which all is kept, known or not. */
export const anything = () => z.looseObject({})

export const hostnamePrefix = () =>
  maybe(
    'Begin of the hostnames in the tailnet: each replica has its number after it.',
    z.string().check(z.regex(/^[a-z0-9][a-z0-9-]{0,61}$/)),
  )

export const tags = (defaults: string) =>
  maybe(
    `Tags of new devices in the tailnet, such as tag:k8s. Default: ${defaults}. Devices that exist keep theirs.`,
    z.array(z.string().check(z.regex(/^tag:[a-zA-Z][a-zA-Z0-9-]*$/))),
  )

export const tailnet = (kind: string) =>
  z.optional(immutable('Name of the Tailnet to join, instead of the default one.', `tailnet of a ${kind}`, z.string()))

export const proxyClass = () => maybe('Name of the ProxyClass of the proxies.', z.string())

export const replicas = (standard: number) =>
  maybe(`Number of devices. Default: ${standard}.`, z.int().check(z.minimum(0)), { format: 'int32' })

/** Devices of which status has a list. */
export const deviceFields = {
  hostname: z.optional(field('Full name of the device.', z.string())),
  tailnetIPs: z.optional(field('Addresses of the device in the tailnet.', strings())),
}

export const listMap = (...keys: string[]): Extra => ({
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': keys,
})

/** `status.conditions` of all kinds. */
export const conditions = () =>
  maybe(
    'How the object stands, by type of condition.',
    z.array(
      z.object({
        type: field('Type of the condition.', z.string().check(z.maxLength(316))),
        status: field('True, False or Unknown.', z.enum(['True', 'False', 'Unknown'])),
        reason: field(
          'Reason as one word, for programs.',
          z.string().check(z.minLength(1), z.maxLength(1024), z.regex(/^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$/)),
        ),
        message: field('What is so, and what to do about it.', z.string().check(z.maxLength(32768))),
        lastTransitionTime: field('When the status of the condition changed last.', z.string(), {
          format: 'date-time',
        }),
        observedGeneration: maybe('The generation of the object of which this is said.', z.int().check(z.minimum(0)), {
          format: 'int64',
        }),
      }),
    ),
    listMap('type'),
  )

/** The devices of a kind whose status has one entry for each hostname. */
export const namedDevices = <T extends z.core.$ZodShape>(more: T) =>
  maybe(
    'The devices in the tailnet.',
    z.array(z.object({ ...deviceFields, hostname: field('Name of the device.', z.string()), ...more })),
    listMap('hostname'),
  )
