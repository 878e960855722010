import { isDeepStrictEqual } from 'node:util'
import { inTailnet, parseAddress } from '../../lib/address.ts'
import { defaultDevice } from '../table.ts'
import type { ListedRule } from './listing.ts'

/** A rule, independent of its position. */
type Rule = Omit<ListedRule, 'handle'>

// The rules of upstream's agent, as nft lists them. It writes interface names without their end, so that the kernel
// compares only the beginning.
const tun = `${defaultDevice}*`

const match = (op: string, left: object, right: unknown): object => ({ match: { op, left, right } })
const device = (op: string, key: string): object => match(op, { meta: { key } }, tun)
const field = (op: string, protocol: string, name: string, right: unknown): object =>
  match(op, { payload: { protocol, field: name } }, right)
const clamp = (key: string): object[] => [
  device('==', key),
  field('in', 'tcp', 'flags', 'syn'),
  { mangle: { key: { 'tcp option': { name: 'maxseg', field: 'size' } }, value: { rt: { key: 'mtu' } } } },
]

/** A rule of upstream's agent: its chain, its expressions, and what it does, in words. */
type Shape = { readonly place: string; readonly expr: readonly object[]; readonly what: string }

/** Marked rules have their purpose in their user data: the rule must match its mark. */
const marks: readonly [RegExp, (family: string, ...parts: string[]) => Shape][] = [
  [
    /^svc:(.+),targetIP:(.+):matchPort:(\d+),targetPort:(\d+),proto:(tcp|udp)$/i,
    (_family, service = '', target = '', from = '', to = '', protocol = '') => ({
      place: `nat ${service}`,
      expr: [
        device('!=', 'oifname'),
        field('==', protocol.toLowerCase(), 'dport', Number(from)),
        { dnat: { addr: target, port: Number(to) } },
      ],
      what: `${service}: ${protocol.toLowerCase()} port ${from} to ${target} port ${to}`,
    }),
  ],
  [
    /^svc:(.+),VIP:(.+),ClusterIP:(.+)$/,
    (family, service = '', address = '', backend = '') => ({
      place: 'nat PREROUTING',
      expr: [field('==', family, 'daddr', address), { dnat: { addr: backend } }],
      what: `${service}: ${address} to ${backend}`,
    }),
  ],
  [
    /^dst:(.+),src:(.+)$/,
    (family, target = '', source = '') => ({
      place: 'nat POSTROUTING',
      expr: [field('==', family, 'daddr', target), { snat: { addr: source } }],
      what: `source ${source} towards ${target}`,
    }),
  ],
]

/** What an unmarked rule would be, given its values. */
function unmarked({ family, expr = [] }: Rule, clamps: boolean): readonly Shape[] {
  const [first, second] = expr as { match?: { right?: unknown }; dnat?: { addr?: unknown } }[]
  const address = String(first?.match?.right)
  const backend = String(second?.dnat?.addr)
  const place = 'nat PREROUTING'
  const dnat = { dnat: { addr: backend } }
  const one = { place, expr: [field('==', family, 'daddr', address), dnat], what: `${address} to ${backend}` }
  // Any program could write this one: own address to backend comes with clamps, and the Pod's address goes to an own
  // address.
  const likely = (clamps && inTailnet(parseAddress(address))) || inTailnet(parseAddress(backend))
  return [
    ...['oifname', 'iifname'].map((key) => ({
      place: 'filter ts-clamp',
      expr: clamp(key),
      what: `clamp of segments, ${key}`,
    })),
    { place, expr: [device('!=', 'oifname'), dnat], what: `everything to ${backend}` },
    ...(likely ? [one] : []),
  ]
}

/** Whether a rule is one of that agent's two clamping rules. */
export const isClamp = (rule: Rule): boolean => rule.chain === 'ts-clamp' && upstreamRule(rule, false) !== undefined

/**
 * What a rule of upstream's agent does, in words; undefined for any other rule.
 * @param clamps whether the family has that agent's chain of clamps.
 */
export function upstreamRule(rule: Rule, clamps: boolean): string | undefined {
  return shapesOf(rule, clamps).find(
    ({ place, expr }) => place === `${rule.table} ${rule.chain}` && isDeepStrictEqual(rule.expr, expr),
  )?.what
}

function shapesOf(rule: Rule, clamps: boolean): readonly Shape[] {
  const { family, userData } = rule
  if (userData === undefined) return unmarked(rule, clamps)
  return marks.flatMap(([pattern, shape]) => {
    const parts = pattern.exec(userData)
    return parts === null ? [] : [shape(family, ...parts.slice(1))]
  })
}
