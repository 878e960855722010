import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect, it } from 'vitest'
import { replyTo } from '../../recorder/reply.ts'

it('a reader that takes nothing of a long answer is given up, and no more is read for it', async () => {
  const response = new ServerResponse(new IncomingMessage(new Socket()))
  const [chunk, read] = [Buffer.alloc(256 * 1024), { times: 0, isOver: false }]
  const endless = async function* (): AsyncGenerator<Buffer> {
    try {
      for (;;) {
        read.times += 1
        yield chunk
      }
    } finally {
      read.isOver = true
    }
  }
  await replyTo(response).pour(endless(), 1)
  expect([response.destroyed, read.isOver]).toEqual([true, true])
  expect(read.times).toBeLessThan(4)
})
