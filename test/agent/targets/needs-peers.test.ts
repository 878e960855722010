import { expect, it } from 'vitest'
import { readSettings } from '../../../agent/settings/read.ts'
import { needsPeers } from '../../../agent/targets/needs-peers.ts'

it.each([
  [{}, false],
  [{ TS_DEST_IP: '10.0.0.9' }, false],
  [{ TS_ROUTES: '10.0.0.0/8' }, false],
  [{ TS_TAILNET_TARGET_IP: '100.64.0.2' }, true],
  [{ TS_TAILNET_TARGET_FQDN: 'web.lab.ts.net' }, true],
  [{ TS_EGRESS_PROXIES_CONFIG_PATH: '/etc/proxies' }, true],
])('%j needs peers: %s', (env, expected) => {
  const { settings } = readSettings({
    TS_USERSPACE: 'false',
    KUBERNETES_SERVICE_HOST: '10.96.0.1',
    TS_KUBE_SECRET: 's',
    ...env,
  })
  expect(needsPeers(settings)).toBe(expected)
})
