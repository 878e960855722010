import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { run } from '../../lab/run.ts'
import { bundle } from '../proxy.ts'

const answer = {
  firewall: 'nftables',
  device: 'tailscale0',
  mappings: [{ from: 'cluster', ports: ['tcp/10000'], exempt: [], to: ['100.64.0.2:443'], service: '<db>' }],
  refusesUnmapped: true,
}

const folder = mkdtempSync(join(tmpdir(), 'culvert-'))
const socket = join(folder, 'agent.sock')
const server = createServer((_request, response) => void response.end(JSON.stringify(answer)))
beforeAll(async () => {
  server.listen(socket)
  await once(server, 'listening')
})
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

test('ruleset --svg draws by a file of at most 2 MiB beside the agent’s', async () => {
  const argv = [process.execPath, bundle, 'ruleset', '--svg', `--culvert-socket=${socket}`]
  const { stdout, stderr } = await run(argv, { env: { PATH: '/nowhere' } })
  expect(stdout).toMatch(/<svg [\s\S]*>&lt;db&gt;<\/text>[\s\S]*<\/svg>\n?$/)
  expect(stderr).toBe('')
  expect(statSync(join(dirname(bundle), 'svg.js')).size).toBeLessThan(2 * 1024 * 1024)
})
