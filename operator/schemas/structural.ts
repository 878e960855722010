import * as z from 'zod/mini'
import { isJsonObject, type JsonObject } from '../../lib/json.ts'

const isEmpty = (value: unknown): boolean => isJsonObject(value) && Object.keys(value).length === 0
const openEnded = { 'x-kubernetes-preserve-unknown-fields': true }
/** Keywords that structural schemas may have, besides `x-kubernetes-…`. */
const keywords = new Set(
  'type description format default enum pattern minLength maxLength minimum maximum minItems maxItems items properties additionalProperties required'.split(
    ' ',
  ),
)

/** zod limits integers to those of JavaScript. */
const isLargest = (name: string, value: unknown): boolean =>
  ['minimum', 'maximum'].includes(name) && Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER

/** The schema of a CustomResourceDefinition for what a type accepts. @throws Error for types that have none */
export const structural = (type: z.ZodMiniType): JsonObject =>
  convert(z.toJSONSchema(type, { io: 'input', reused: 'inline' }), '')

/** From JSON Schema to the part of OpenAPI that the API accepts as structural. */
function convert(schema: unknown, path: string): JsonObject {
  if (!isJsonObject(schema)) throw new Error(`${path}: no schema`)
  const { $schema: _, propertyNames: __, anyOf, additionalProperties, properties, items, ...rest } = schema
  if (Array.isArray(rest['type'])) throw new Error(`${path}: no such union of types: ${rest['type'].join()}`)
  if (Array.isArray(anyOf)) {
    const types = new Set(anyOf.map((one: unknown) => (isJsonObject(one) ? one['type'] : undefined)))
    if (types.size === 2 && types.has('integer') && types.has('string'))
      return { ...rest, 'x-kubernetes-int-or-string': true }
    throw new Error(`${path}: no such union of types: ${[...types].join()}`)
  }
  const kept = Object.entries(rest).filter(([name, value]) => !isLargest(name, value))
  const unknown = kept.find(([name]) => !keywords.has(name) && !name.startsWith('x-kubernetes-'))
  if (unknown !== undefined) throw new Error(`${path}: structural schemas have no ${unknown[0]}`)
  return {
    ...Object.fromEntries(kept),
    ...((isEmpty(additionalProperties) || rest['type'] === undefined) && openEnded),
    ...(isJsonObject(additionalProperties) &&
      !isEmpty(additionalProperties) && { additionalProperties: convert(additionalProperties, `${path}.*`) }),
    ...(isJsonObject(properties) &&
      !isEmpty(properties) && {
        properties: Object.fromEntries(
          Object.entries(properties).map(([name, part]) => [name, convert(part, `${path}.${name}`)]),
        ),
      }),
    ...(items !== undefined && { items: convert(items, `${path}[]`) }),
  }
}
