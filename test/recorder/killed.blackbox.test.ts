import { expect, it } from 'vitest'
import { randomFrom, uploadAndKill } from './killed.ts'
import { RecorderBed } from './recorder-bed.ts'

it('a recorder that is killed has lost nothing of what it reported as stored', async () => {
  await using bed = await RecorderBed.start()
  const random = randomFrom(7)
  await uploadAndKill(bed, { many: 8, ms: 300, isStored: false, isHurried: false, random })
  await uploadAndKill(bed, { many: 8, ms: 1500, isStored: true, isHurried: true, random })
  expect(bed.files.length).toBeGreaterThan(0)
})
