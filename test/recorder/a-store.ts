import type { Part } from '../../recorder/store/store.ts'

/** A store in memory that knows what would survive, and fails or hangs when it is told to. */
export function aStore() {
  let bytes = Buffer.alloc(0)
  const state = {
    survives: 0,
    finished: undefined as string | undefined,
    isGone: false,
    isLeft: false,
    fault: '',
    isStuck: false,
  }
  const check = (): void => {
    if (state.fault !== '') throw Object.assign(new Error('it fails'), { code: state.fault })
  }
  const part = (key: string): Part => ({
    key,
    get bytes() {
      return bytes.length
    },
    read: async (from, to) => bytes.subarray(from, to),
    append: async (more) => {
      check()
      bytes = Buffer.concat([bytes, more])
    },
    sync: async () => {
      const { length } = bytes
      await (state.isStuck ? new Promise(() => {}) : Promise.resolve())
      check()
      state.survives = length
    },
    reopen: async () => {
      const whole = bytes
      return { key, bytes: whole.length, read: async (from, to) => whole.subarray(from, to), close: async () => {} }
    },
    finish: async (length, end = Buffer.alloc(0)) => {
      check()
      bytes = Buffer.concat([bytes.subarray(0, length), end])
      state.survives = bytes.length
      state.finished = bytes.toString()
    },
    discard: async () => void (state.isGone = true),
    leave: async () => void (state.isLeft = true),
  })
  return { state, store: { begin: async (key: string) => part(key) } }
}
