import * as z from 'zod/mini'
import { type Family, families } from '../../lib/address.ts'
import type { ByFamily } from '../table.ts'
import { ingressMap, ownSet } from './render.ts'

/** What the kernel holds of our table. */
export type ReadBack = {
  readonly own: ByFamily<ReadonlySet<string>>
  readonly ingress: ByFamily<ReadonlyMap<string, string>>
  /** Chains and the comments of their rules, in order, as `outline` renders them. */
  readonly outline: readonly string[]
  /** Everything but elements, handles and counters, to be compared with another listing by the same nft only. */
  readonly skeleton: string
}

const element = z.union([z.string(), z.tuple([z.string(), z.string()])])
const setSchema = z.object({ name: z.string(), elem: z.optional(z.array(element)) })
const ruleSchema = z.object({ chain: z.string(), comment: z.optional(z.string()) })
const listing = z.object({ nftables: z.array(z.record(z.string(), z.record(z.string(), z.unknown()))) })

/**
 * Reads `nft -j list table inet culvert`.
 * @throws Error when the text is no such listing.
 */
export function readBack(json: string): ReadBack {
  const own = { 4: new Set<string>(), 6: new Set<string>() }
  const ingress = { 4: new Map<string, string>(), 6: new Map<string, string>() }
  const outline: string[] = []
  const rules: { chain: string; comment: string }[] = []
  const skeleton: unknown[] = []
  for (const entry of z.parse(listing, JSON.parse(json)).nftables) {
    for (const [kind, body] of Object.entries(entry)) {
      if (kind === 'metainfo') continue
      // Handles grow with every replacement; elements are compared by value.
      const { handle: _handle, elem: _elem, ...rest } = body
      skeleton.push([kind, rest])
      if (kind === 'set' || kind === 'map') readElements(body, own, ingress)
      if (kind === 'chain') outline.push(z.parse(z.object({ name: z.string() }), body).name)
      if (kind === 'rule') {
        const rule = z.parse(ruleSchema, body)
        rules.push({ chain: rule.chain, comment: rule.comment ?? '' })
      }
    }
  }
  const ordered = outline.flatMap((name) => [
    name,
    ...rules.filter(({ chain }) => chain === name).map(({ comment }) => `${name}: ${comment}`),
  ])
  return { own, ingress, outline: ordered, skeleton: JSON.stringify(skeleton) }
}

function readElements(
  body: unknown,
  own: Record<Family, Set<string>>,
  ingress: Record<Family, Map<string, string>>,
): void {
  const { name, elem = [] } = z.parse(setSchema, body)
  for (const family of families) {
    for (const item of elem) {
      if (name === ownSet(family) && typeof item === 'string') own[family].add(item)
      if (name === ingressMap(family) && typeof item !== 'string') ingress[family].set(...item)
    }
  }
}
