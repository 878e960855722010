import { expect, it } from 'vitest'
import { statusView } from '../../../agent/status/status.ts'
import { parseDeviceConfig } from '../../../wire/device-config.ts'
import { aWorld } from '../a-world.ts'

it('the status has no secret', () => {
  const env = { TS_USERSPACE: 'false', TS_DEST_IP: '10.0.0.9', TS_AUTHKEY: 'tskey-secret' }
  expect(JSON.stringify(statusView(aWorld({}, env), '1'))).not.toContain('tskey-secret')
  const path = '/c/cap-95.hujson'
  const bytes = Buffer.from('{"version":"alpha0","AuthKey":"tskey-secret"}')
  const deviceConfig = { current: { path, cap: 95, bytes, config: parseDeviceConfig(path, bytes) } }
  const reissue = { refusedKey: 'tskey-secret', reason: 'refused' }
  expect(JSON.stringify(statusView(aWorld({ deviceConfig, reissue }), '1'))).not.toContain('tskey-secret')
})
