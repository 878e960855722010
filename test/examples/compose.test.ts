import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readSettings } from '../../agent/settings/read.ts'
import { projectRoot } from '../lab/paths.ts'
import { readYaml } from '../users/readers/yaml.ts'

type ComposeService = {
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly networks: { readonly inner: Readonly<Record<'ipv4_address' | 'ipv6_address', string>> }
}

// The lab has no engine that could run it.
test('the compose file has valid settings and matching addresses', () => {
  const [file] = readYaml(readFileSync(join(projectRoot, 'docs/examples/compose.yaml'), 'utf8'))
  const { services } = file as { services: Record<'tailscale' | 'web', ComposeService> }
  const { settings, warnings } = readSettings(services.tailscale.environment!)
  expect(warnings).toEqual([])
  expect(settings).toMatchObject({ userspace: false, state: { kind: 'disk' } })
  expect(settings.targets.map(({ text }) => text)).toEqual(Object.values(services.web.networks.inner))
  expect(services.tailscale.volumes).toEqual([`state:${services.tailscale.environment!['TS_STATE_DIR']}`])
})
