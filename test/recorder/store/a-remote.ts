import { RemoteError } from '../../../recorder/store/remote.ts'
import type { Remote } from '../../../recorder/store/remote.ts'

/** A remote in memory, which fails or waits when it is told to. */
export function aRemote() {
  const objects = new Map<string, Buffer>()
  const state = { failure: undefined as RemoteError | undefined, wait: Promise.resolve() }
  const check = async (): Promise<void> => {
    await state.wait
    if (state.failure) throw state.failure
  }
  const remote: Remote = {
    upload: async (from) => {
      const bytes = await from.read(0, from.bytes)
      await check()
      objects.set(from.key, bytes)
    },
    list: async function* () {
      for (const [key, { length }] of objects) yield { key, bytes: length, modified: new Date() }
    },
    open: async (key) => {
      const bytes = objects.get(key)
      if (bytes === undefined) throw new RemoteError('refused', 'it is not there', { code: 'ENOENT' })
      return { key, bytes: bytes.length, read: async (from, to) => bytes.subarray(from, to) }
    },
    remove: async (key) => void objects.delete(key),
    look: check,
  }
  return { objects, state, remote }
}
