/**
 * How the work is divided among leaders, as the Lease of the first of them declares it. A plan is a text that tells it
 * from others; only leaders of the plan that is declared and settled may work.
 */
export type Declared = {
  readonly plan: string
  /** Nobody can be at work by another plan any more. */
  readonly isSettled: boolean
  /** Others than leaders have changed the annotation. Its holder writes it anew. */
  readonly isSpoilt?: boolean
}

/** The plan of a single leader, which a Lease need not declare: everything is its own. */
export const undivided = '1'

/** Stays on the Lease when that is given back. */
export const planAnnotation = 'culvert/shards'

const changing = 'changing to '

/** The annotation by which a Lease declares it; undefined: it declares that already, by the annotation `before`. */
export function declaration({ plan, isSettled }: Declared, before: string | undefined): string | undefined {
  const text = isSettled ? plan : changing + plan
  return text === (before ?? undivided) ? undefined : text
}

/** Identities name the plan: programs that know nothing of plans take a Lease and leave its annotation as it is. */
export const identityIn = (plan: string, identity: string): string =>
  plan === undivided ? identity : `${identity}/${plan}`

const planOf = (identity: string): string => /\/([^/]+)$/.exec(identity)?.[1] ?? undivided

/** What a Lease declares by its annotation and its holder. */
export function declaredBy(annotation: string | undefined, holder: string | undefined): Declared {
  const text = annotation ?? undivided
  const isSettled = !text.startsWith(changing)
  const plan = isSettled ? text : text.slice(changing.length)
  const own = holder === undefined ? plan : planOf(holder)
  if (own === plan) return { plan, isSettled }
  return { plan: own, isSettled: false, isSpoilt: own !== undivided }
}
