import { cp, rename, rm } from 'node:fs/promises'
import type { Component } from './component.ts'

/**
 * Keeps what etcd has at this moment in `directory`, and gives what brings that back, as one restores a snapshot: all
 * that was written since is gone, and versions are counted from there. The API server is killed, both times.
 */
export async function snapshotOf(
  etcd: Component,
  apiServer: Component,
  directory: string,
): Promise<() => Promise<void>> {
  const kept = `${directory}.kept`
  const meanwhile = async (change: () => Promise<unknown>): Promise<void> => {
    await apiServer.kill()
    await etcd.stop()
    await change()
    await etcd.start()
    await apiServer.start()
  }
  await meanwhile(() => cp(directory, kept, { recursive: true }))
  return () =>
    meanwhile(async () => {
      await rm(directory, { recursive: true })
      await rename(kept, directory)
    })
}
