import { it } from 'vitest'
import { randomFrom, uploadAndKill } from './killed.ts'
import { RecorderBed } from './recorder-bed.ts'

it('a recorder that is killed at a hundred points has lost nothing of what it reported as stored', async () => {
  await using bed = await RecorderBed.start()
  for (let turn = 0; turn < 100; turn += 1) {
    const random = randomFrom(turn)
    await uploadAndKill(bed, { many: 12, ms: random() * 4000, isStored: false, isHurried: random() < 0.5, random })
  }
})
