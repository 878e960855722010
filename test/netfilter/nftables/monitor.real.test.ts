import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Bed, startBed } from '../../lab/bed.ts'

let bed: Bed
beforeAll(async () => {
  bed = await startBed({ hosts: { node: { network: 'cluster' } } })
})
afterAll(async () => bed.down())

it('finds what changed while the kernel dropped announcements, and reports the loss', async () => {
  const program = join(import.meta.dirname, '../programs/lost.ts')
  const { stdout } = await bed.host('node').exec([process.execPath, program])
  const { reported, held } = JSON.parse(stdout) as { reported: string[]; held: string }
  expect(reported).toEqual(['ended: We lost some netlink events!', 'changed undefined', 'begun', 'changed undefined'])
  expect(held).toBe('10.0.0.9')
})
