import { isJsonObject, type JsonObject } from '../../lib/json.ts'
import type { Entry } from '../index/entry.ts'
import type { Peer } from '../peers.ts'
import { Refused } from '../refused.ts'
import type { Node } from './nodes.ts'

/** Which recordings somebody may see, by the grants of the tailnet's policy. `.internal` is nobody's domain. */
export const capability = 'culvert.internal/cap/recordings'

/** Whether somebody may see a recording, or a request; `node` is the one that has uploaded it, if it is known. */
export type May = (entry: Pick<Entry, 'who' | 'node'>, node: Node | undefined) => boolean

/** Recordings of these, at these; without `nodes`, at all. */
type Rule = { readonly who: readonly string[]; readonly nodes: readonly string[] | undefined }

/** More rules, and more texts in one, than any policy has. */
const most = 1000

/**
 * What the policy lets a device see.
 * @throws Refused if that is nothing, or has another form than documented: then nothing of it can be relied on
 */
export function mayOf({ capabilities, login, tags }: Pick<Peer, 'capabilities' | 'login' | 'tags'>): May {
  const rules = rulesOf(capabilities)
  if (rules.length === 0)
    throw new Refused(
      403,
      'policy',
      `the tailnet's policy lets this device see no recordings: it does not grant ${capability}`,
    )
  const self = tags.length > 0 ? undefined : login?.toLowerCase()
  return ({ who, node: id }, node) => {
    const whose = [who, ...who.split(' ')].map((one) => one.toLowerCase())
    const names = [id, ...(node ? [node.name, ...node.tags] : [])].map((one) => one.toLowerCase())
    const isWho = (pattern: string): boolean =>
      pattern === 'self' ? self !== undefined && self !== '' && who.toLowerCase() === self : isOne(pattern, whose)
    return rules.some((rule) => rule.who.some(isWho) && (rule.nodes?.some((pattern) => isOne(pattern, names)) ?? true))
  }
}

/** Whether one of the names is meant: by all of it, or after `*` by how it ends. */
const isOne = (pattern: string, names: readonly string[]): boolean =>
  pattern.startsWith('*') ? names.some((name) => name.endsWith(pattern.slice(1))) : names.includes(pattern)

function rulesOf(capabilities: unknown): Rule[] {
  if (capabilities === undefined || capabilities === null) return []
  if (!isJsonObject(capabilities)) throw unusable('the capabilities are no object')
  const list = Object.hasOwn(capabilities, capability) ? capabilities[capability] : []
  if (!Array.isArray(list) || list.length > most) throw unusable('it is no list of rules')
  return list.map(readRule)
}

function readRule(rule: unknown): Rule {
  if (!isJsonObject(rule)) throw unusable('a rule is no object')
  // What is not known may be meant to allow less.
  const strange = Object.keys(rule).find((name) => name !== 'who' && name !== 'nodes')
  if (strange !== undefined) throw unusable(`"${strange.slice(0, 50)}" is not known`)
  return { who: patterns(rule, 'who'), nodes: Object.hasOwn(rule, 'nodes') ? patterns(rule, 'nodes') : undefined }
}

function patterns(rule: JsonObject, name: 'who' | 'nodes'): string[] {
  const list = Object.hasOwn(rule, name) ? rule[name] : undefined
  const isGood = (one: unknown): one is string => typeof one === 'string' && /^\*?[^*\s]*$/.test(one) && one !== ''
  if (!Array.isArray(list) || list.length > most || !list.every(isGood))
    throw unusable(`"${name}" is no list of names, of which only the first character may be *`)
  return list.map((one) => one.toLowerCase())
}

const unusable = (what: string): Refused =>
  new Refused(403, 'policy', `the tailnet's policy grants ${capability} in a form that cannot be used: ${what}`)
