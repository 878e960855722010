import { type JsonObject, isJsonObject } from '../lib/json.ts'
import { Refused } from './refused.ts'

/** What the tailnet's policy says of a peer who wants to use the API: its grants of the capability, together. */
export type Rules = {
  /** In order, each once. */
  readonly groups: readonly string[]
  /** What is done must be recorded; otherwise it may not be done. */
  readonly enforcesRecording: boolean
  /** Requests are to be recorded, too, not only sessions. */
  readonly recordsRequests: boolean
  /** `host:port` of each recorder. */
  readonly recorders: readonly string[]
}

const capability = 'tailscale.com/cap/kubernetes'
/** Its earlier name, under which only groups were granted. */
const earlier = `https://${capability}`

/** More rules than any policy has. */
const mostRules = 1000

/**
 * Reads the capabilities that tailscaled reports of a peer. Fields that are not known are left alone: a newer policy
 * may have them.
 * @throws Refused if anything in them has another type than it must: then nothing of them can be relied on
 */
export function readRules(capMap: unknown): Rules {
  if (capMap === undefined || capMap === null) return merged([])
  if (!isJsonObject(capMap)) throw unreadable('the capabilities are no object')
  const rules = rulesOf(capMap, capability)
  if (rules.length > 0) return merged(rules)
  const { groups } = merged(rulesOf(capMap, earlier))
  return { ...merged([]), groups }
}

type Rule = Rules

const merged = (rules: readonly Rule[]): Rules => ({
  groups: [...new Set(rules.flatMap(({ groups }) => groups))],
  enforcesRecording: rules.some((rule) => rule.enforcesRecording),
  recordsRequests: rules.some((rule) => rule.recordsRequests),
  recorders: rules.flatMap(({ recorders }) => recorders),
})

function rulesOf(capMap: JsonObject, name: string): Rule[] {
  const list = Object.hasOwn(capMap, name) ? capMap[name] : undefined
  if (list === undefined || list === null) return []
  if (!Array.isArray(list)) throw unreadable('it is no list')
  if (list.length > mostRules) throw unreadable(`it has more than ${mostRules} rules`)
  return list.map(readRule)
}

function readRule(rule: unknown): Rule {
  if (!isJsonObject(rule)) throw unreadable('a rule is no object')
  const field = (name: string): unknown => (Object.hasOwn(rule, name) ? rule[name] : undefined)
  const impersonate = field('impersonate') ?? {}
  if (!isJsonObject(impersonate)) throw unreadable('"impersonate" is no object')
  const groups = texts('impersonate.groups', Object.hasOwn(impersonate, 'groups') ? impersonate['groups'] : undefined)
  return {
    groups,
    enforcesRecording: flag('enforceRecorder', field('enforceRecorder')),
    recordsRequests: flag('enableEvents', field('enableEvents')),
    recorders: texts('recorderAddrs', field('recorderAddrs')),
  }
}

function flag(name: string, value: unknown): boolean {
  if (value !== undefined && value !== null && typeof value !== 'boolean')
    throw unreadable(`"${name}" is not true or false`)
  return value === true
}

function texts(name: string, value: unknown): readonly string[] {
  const list = value ?? []
  if (!Array.isArray(list) || !list.every((one): one is string => typeof one === 'string'))
    throw unreadable(`"${name}" is no list of texts`)
  return list
}

const unreadable = (what: string): Refused =>
  new Refused(403, 'policy', `the tailnet's policy grants ${capability} in a form that cannot be used: ${what}`)
