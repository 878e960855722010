/** Something that only one service may have, such as `TCP port 10000`, and the field that asks for it. */
export type Claim = { readonly what: string; readonly field: string }

/** `owner` has what `claim` asks for. */
export type Conflict = { readonly claim: Claim; readonly owner: string }

/** The claims of services, by service name. */
export type Claims = ReadonlyMap<string, readonly Claim[]>

type Sides = {
  /** Of the desired services, in the order of their names. */
  readonly wanted: Claims
  /** Of the previous services; no two claimed the same. */
  readonly before: Claims
  /** Services that must stay as they were. */
  readonly kept: Iterable<string>
}

/**
 * Decides which services cannot be as desired: of two that claim the same, the previous owner wins, otherwise the
 * first. The loser stays as it was, with its previous claims.
 */
export function findConflicts({ wanted, before, kept }: Sides): Map<string, Conflict> {
  const conflicts = new Map<string, Conflict>()
  const owners = new Map<string, string>()
  const winning = new Set(wanted.keys())
  const restored = [...kept]

  const lose = (name: string, what: string, owner: string): void => {
    if (!winning.delete(name)) return
    for (const claim of wanted.get(name) ?? []) {
      if (owners.get(claim.what) === name) owners.delete(claim.what)
      if (claim.what === what) conflicts.set(name, { claim, owner })
    }
    restored.push(name)
  }
  const restore = (): void => {
    for (let name = restored.pop(); name !== undefined; name = restored.pop()) {
      for (const { what } of before.get(name) ?? []) {
        lose(owners.get(what) ?? name, what, name)
        owners.set(what, name)
      }
    }
  }

  for (const [name, claims] of wanted) {
    const had = new Set(before.get(name)?.map(({ what }) => what))
    for (const { what } of claims) if (had.has(what)) owners.set(what, name)
  }
  restore()
  for (const name of winning) {
    const claims = wanted.get(name) ?? []
    const taken = claims.find(({ what }) => (owners.get(what) ?? name) !== name)
    if (taken !== undefined) lose(name, taken.what, owners.get(taken.what) ?? '')
    else for (const { what } of claims) owners.set(what, name)
    restore()
  }
  return conflicts
}
