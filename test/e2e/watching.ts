import { dirname, join } from 'node:path'
import { expect } from 'vitest'
import { trust } from '../lab/trust.ts'
import { lookingGrants } from '../recorder/web/documented.ts'
import type { Watched } from '../recorder/web/watch.ts'
import { type ApiServerBed, recorderName } from './apiserver-bed.ts'

const program = join(dirname(import.meta.dirname), 'recorder', 'web', 'watch.ts')

/**
 * Plays the newest session of `cat` in a browser on alice's device: one in the cluster's Pod that has shown `seen`.
 * `grant` lets alice see it, by the policy of docs/recorder.md; without that, she sees nothing.
 */
export async function watchInBrowser(
  { bed }: ApiServerBed,
  grant: (rule: object, looking: { readonly app: object }) => Promise<void>,
): Promise<void> {
  const [alice, home] = [bed.host('alice'), '/tmp/watching']
  await trust(bed, alice, home)
  const watch = async (): Promise<Watched> => {
    const argv = [process.execPath, program, `https://${recorderName}`, 'cat']
    return JSON.parse((await alice.exec(argv, { env: { HOME: home } })).stdout) as Watched
  }
  expect(await watch()).toEqual({ refused: expect.stringContaining('does not grant') as string })
  await grant({}, lookingGrants[0]!)
  const { user } = await bed.control.node('alice')
  const where = /exec.*alice\.lab\.ts\.net.*default\/app\/main.*proxy\.lab\.ts\.net.*cat/s
  await expect.poll(watch).toEqual({
    viewer: `You are ${user} on alice.lab.ts.net`,
    row: expect.stringMatching(where) as string,
    shown: 'seen',
    problems: [],
  })
}
