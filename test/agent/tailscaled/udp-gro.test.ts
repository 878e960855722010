import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { setUpUdpGro } from '../../../agent/tailscaled/udp-gro.ts'
import { close, listen } from '../../../lib/http-server.ts'
import { localApi } from '../../../localapi/client.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'

it.each<[number, string, RegExp]>([
  [200, '{"Warning":""}', /^UDP GRO forwarding is set up$/],
  [200, '{"Warning":"no such device"}', /^warning: UDP GRO forwarding: no such device$/],
  [403, 'access denied', /^warning: UDP GRO forwarding is not set up: .*403: access denied$/],
  [200, 'null', /^warning: UDP GRO forwarding is not set up: /],
  [200, '{', /^warning: UDP GRO forwarding is not set up: /],
])('calls tailscaled once, and logs the result: %i %s', async (status, body, line) => {
  const folder = mkdtempSync(join(tmpdir(), 'culvert-'))
  const asked: string[] = []
  const server = await listen(
    ({ method, url }, response) => {
      asked.push(`${method} ${url}`)
      response.writeHead(status).end(body)
    },
    { path: join(folder, 's') },
  )
  const { context, lines } = aContext(aWorld(), { api: localApi(join(folder, 's')) })
  await setUpUdpGro(context)
  expect(asked).toEqual(['GET /localapi/v0/set-udp-gro-forwarding'])
  expect(lines).toEqual([expect.stringMatching(line)])
  await close(server)
  rmSync(folder, { recursive: true })
})
