import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { statusView } from '../../../agent/status/status.ts'
import type { World } from '../../../agent/world/world.ts'
import { parseDeviceConfig } from '../../../wire/device-config.ts'
import { aWorld } from '../a-world.ts'

const about = { version: '1', since: () => undefined, now: new Date(0) }

it('the status contains no secret', () => {
  const env = { TS_USERSPACE: 'false', TS_DEST_IP: '10.0.0.9', TS_AUTHKEY: 'tskey-secret' }
  expect(JSON.stringify(statusView(aWorld({}, env), about))).not.toContain('tskey-secret')
  const path = '/c/cap-95.hujson'
  const bytes = Buffer.from('{"version":"alpha0","AuthKey":"tskey-secret"}')
  const deviceConfig = { file: { content: { path, cap: 95, bytes, config: parseDeviceConfig(path, bytes) } } }
  const reissue = { refusedKey: 'tskey-secret', reason: 'refused' }
  expect(JSON.stringify(statusView(aWorld({ deviceConfig, reissue }), about))).not.toContain('tskey-secret')
})

it('each field of the status, and each phase of a preStop hook, is described in docs/operations.md', () => {
  const operations = readFileSync(join(import.meta.dirname, '../../../docs/operations.md'), 'utf8')
  const fields = Object.keys(statusView(aWorld(), about))
  expect(fields).toContain('preshutdown')
  for (const field of fields) expect(operations).toMatch(new RegExp(`^\\|[^|]*\`${field}\``, 'm'))
  const phases: Record<NonNullable<World['preshutdown']>['phase'], true> = { asking: true, settling: true }
  expect(operations).toContain(`\`phase\` (${Object.keys(phases).join(', ')})`)
})
