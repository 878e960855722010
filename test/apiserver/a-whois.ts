/** What tailscaled answers of a peer: one of a user, unless `node` has tags. */
export function aWhois(
  address: string,
  {
    login = 'alice@example.com',
    capMap = {},
    node = {},
  }: { readonly login?: unknown; readonly capMap?: unknown; readonly node?: object } = {},
): string {
  const prefix = `${address}/${address.includes(':') ? 128 : 32}`
  return JSON.stringify({
    Node: {
      ID: 30_585_448_562,
      StableID: 'nLaptop',
      Name: 'laptop.lab.ts.net.',
      Addresses: [prefix],
      KeyExpiry: '0001-01-01T00:00:00Z',
      ...node,
    },
    UserProfile: { ID: 1, LoginName: login },
    CapMap: capMap,
  })
}

export const capability = 'tailscale.com/cap/kubernetes'

/** Capabilities with these rules. */
export const granting = (...rules: readonly unknown[]): object => ({ [capability]: rules })

/** A rule that grants groups. */
export const groups = (...names: readonly string[]): object => ({ impersonate: { groups: names } })
