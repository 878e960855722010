import { expect, it } from 'vitest'
import { randomFrom, uploadAndKill } from '../killed.ts'
import { someFaults } from './gateway.ts'
import { aRecording, record, S3Bed } from './s3-bed.ts'
import { S3Server } from './s3-server.ts'

it('a recorder with S3, which fails at times, is killed at a hundred points and has lost nothing that it reported as stored', async () => {
  await using server = await S3Server.start()
  await using bed = await S3Bed.start(server)
  const { recorder, gateway } = bed
  for (let turn = 0; turn < 100; turn += 1) {
    const random = randomFrom(turn)
    gateway.failBy(turn % 7 === 3 ? () => 'away' : someFaults(random))
    await uploadAndKill(recorder, {
      // Some are uploaded in parts.
      ...(turn % 5 === 0 ? { many: 3, longest: 150_000 } : { many: 12 }),
      ms: random() * 4000,
      isStored: false,
      isHurried: random() < 0.5,
      random,
      recover: () => gateway.recover(),
    })
    expect(recorder.spooled).toEqual([])
  }
  expect(gateway.requests.some(({ what }) => what.includes('partNumber=2'))).toBe(true)
  expect(await bed.unfinished()).toEqual([])
})

it('an S3 server that takes a recording and never answers is given up, and asked again', async () => {
  await using server = await S3Server.start()
  await using bed = await S3Bed.start(server)
  bed.gateway.fail('held', /^PUT /)
  await record(bed.recorder)
  await bed.failed('unreachable')
  bed.gateway.recover()
  expect(await bed.kept()).toEqual([aRecording])
})
