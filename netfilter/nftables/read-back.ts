import * as z from 'zod/mini'
import { declarations, type Elements, type SetName } from './elements.ts'

/** Our table as the kernel has it. */
export type ReadBack = {
  readonly elements: Elements
  /** Chains and the comments of their rules, in order, as rendered by `outline`. */
  readonly outline: readonly string[]
  /** Chains, sets, and elements of a form that we never write; comparable only with another listing by the same nft. */
  readonly definitions: string
  /** The rules, with the same limitation. */
  readonly rules: string
}

const scalar = z.union([z.string(), z.number()])
const value = z.union([scalar, z.object({ concat: z.array(scalar) })])
const elementsSchema = z.array(z.union([value, z.tuple([value, value])]))
const setSchema = z.object({ name: z.string(), elem: z.optional(z.unknown()) })
const ruleSchema = z.object({ chain: z.string(), comment: z.optional(z.string()) })
const listing = z.object({ nftables: z.array(z.record(z.string(), z.record(z.string(), z.unknown()))) })

const names = new Set<string>(declarations.map(({ name }) => name))
const isOurs = (name: string): name is SetName => names.has(name)

/**
 * Reads `nft -j list table inet culvert`.
 * @throws Error when the text is no such listing.
 */
export function readBack(json: string): ReadBack {
  const elements = new Map<SetName, ReadonlyMap<string, string>>()
  const outline: string[] = []
  const rules: { chain: string; comment: string }[] = []
  const [definitions, ruleBodies]: [unknown[], unknown[]] = [[], []]
  for (const entry of z.parse(listing, JSON.parse(json)).nftables) {
    for (const [kind, body] of Object.entries(entry)) {
      if (kind === 'metainfo') continue
      // Handles grow with every replacement, so that elements are compared by value.
      const { handle: _handle, elem: _elem, ...rest } = body
      const bodies = kind === 'rule' ? ruleBodies : definitions
      bodies.push([kind, rest])
      if (kind === 'set' || kind === 'map') {
        const { name, elem = [] } = z.parse(setSchema, body)
        const read = z.safeParse(elementsSchema, elem)
        if (!read.success) definitions.push(elem)
        else if (isOurs(name)) elements.set(name, new Map(read.data.map(readElement)))
      }
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
  return {
    elements,
    outline: ordered,
    definitions: JSON.stringify(definitions),
    rules: JSON.stringify(ruleBodies),
  }
}

const text = (one: z.infer<typeof value>): string => (typeof one === 'object' ? one.concat.join(' . ') : String(one))

const readElement = (one: z.infer<typeof elementsSchema>[number]): [string, string] =>
  Array.isArray(one) ? [text(one[0]), text(one[1])] : [text(one), '']
