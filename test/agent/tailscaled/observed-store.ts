import type { Store } from '../../../agent/world/store.ts'
import type { World } from '../../../agent/world/world.ts'

/** The store, with a callback after each write, whether or not the World changed. */
export const observed = (store: Store, look: (world: World) => void): Store => ({
  ...store,
  get world() {
    return store.world
  },
  writer: (field) => {
    const write = store.writer(field)
    return (change) => {
      write(change)
      look(store.world)
    }
  },
})
