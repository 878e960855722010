import type { Source } from './reflect.ts'
import type { Store } from './store.ts'

/** The objects of one namespace in a store of several, for a source of its own: a list of it replaces no others. */
export const within = (store: Store, namespace: string): Store => ({
  ...store,
  replace: (objects) =>
    store.replace([...[...store.all()].filter(({ metadata }) => metadata.namespace !== namespace), ...objects]),
})

/** Sources of the same kind as one: it is synced when all of them are, and as silent as the most silent one. */
export function together(name: string, all: readonly Source[]): Source {
  const [only] = all
  if (only !== undefined && all.length === 1) return only
  return {
    name,
    synced: Promise.all(all.map(({ synced }) => synced)).then(() => undefined),
    isSynced: () => all.every(({ isSynced }) => isSynced()),
    refresh: async () => void (await Promise.all(all.map(({ refresh }) => refresh()))),
    silence: () => Math.max(...all.map(({ silence }) => silence())),
    isDeaf: () => all.some(({ isDeaf }) => isDeaf()),
    counts: () =>
      all
        .map(({ counts }) => counts())
        .reduce((sum, one) => ({
          lists: sum.lists + one.lists,
          watches: sum.watches + one.watches,
          missed: sum.missed + one.missed,
        })),
  }
}
