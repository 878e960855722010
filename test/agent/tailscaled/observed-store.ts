import type { Store } from '../../../agent/world/store.ts'
import type { World } from '../../../agent/world/world.ts'

/** The store, whose World is looked at after each write, whether or not that has changed anything. */
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
