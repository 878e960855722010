import { isJsonObject, type JsonObject } from '../../lib/json.ts'
import { listed } from '../../lib/some.ts'
import { group, version } from '../objects/names.ts'
import { definitions } from '../schemas/all.ts'
import type { Definition } from '../schemas/definition.ts'
import { structural } from '../schemas/structural.ts'
import type { Fact } from '../../lib/fact.ts'
import type { ServedKinds } from './facts.ts'
import { error, type Finding, ok, unknown } from '../../lib/finding.ts'

const check = 'definitions'
const remedy =
  'Apply the definitions of this version: kubectl apply --server-side --filename operator/crds. Objects stay as they are.'

/** Whether the cluster has our kinds with all of their fields. */
export function judgeKinds(kinds: Fact<ServedKinds>): readonly Finding[] {
  if ('error' in kinds) return [unknown(check, kinds.error)]
  const lacking = definitions.flatMap((definition) => lackingOf(definition, kinds.value))
  if (lacking.length > 0) return lacking.map((message) => error(check, message, remedy))
  return [ok(check, `all ${definitions.length} kinds of ${group}/${version} are there, with every field`)]
}

/** What the API server lacks of a kind, in one sentence; none if it lacks nothing. */
function lackingOf(definition: Definition, { resources, schemas }: ServedKinds): string[] {
  const { kind, plural } = definition.resource
  const name = `${plural}.${group}`
  if (!resources.has(plural)) return [`${name} is not there in the version ${version}`]
  if (!resources.has(`${plural}/status`)) return [`${name} has no subresource status`]
  const schema = schemas.get(kind)
  if (schema === undefined) return [`${name} has no schema`]
  const ours: JsonObject = { spec: structural(definition.spec), status: structural(definition.status) }
  const fields = ['spec', 'status'].flatMap((part) => lackingFields(ours[part], propertiesOf(schema)[part], part))
  return fields.length === 0 ? [] : [`${name} lacks the fields ${listed(fields)}, which the API server then drops`]
}

/** Fields of `ours` that `theirs` neither has nor would keep. Of a field that lacks as a whole, not those within. */
function lackingFields(ours: unknown, theirs: unknown, path: string): string[] {
  if (!isJsonObject(ours)) return []
  if (!isJsonObject(theirs)) return [path]
  if (theirs['x-kubernetes-preserve-unknown-fields'] === true) return []
  const present = propertiesOf(theirs)
  const inside = Object.entries(propertiesOf(ours)).flatMap(([name, part]) =>
    lackingFields(part, present[name], `${path}.${name}`),
  )
  return [...inside, ...lackingItems(ours, theirs, path)]
}

const lackingItems = (ours: JsonObject, theirs: JsonObject, path: string): string[] => [
  ...lackingFields(ours['items'], theirs['items'], `${path}[]`),
  ...lackingFields(ours['additionalProperties'], theirs['additionalProperties'], `${path}.*`),
]

function propertiesOf(schema: unknown): JsonObject {
  const properties = isJsonObject(schema) ? schema['properties'] : undefined
  return isJsonObject(properties) ? properties : {}
}
