import { parsePrefix } from '../../../lib/address.ts'
import type { Facts, ServedKinds } from '../../../operator/check/facts.ts'
import { lineOf } from '../../../lib/finding.ts'
import { judge } from '../../../operator/check/judge.ts'
import { definitions } from '../../../operator/schemas/all.ts'
import { structural } from '../../../operator/schemas/structural.ts'
import { readOperatorSettings } from '../../../operator/settings/read.ts'

const env = { OPERATOR_NAMESPACE: 'tailscale', CLIENT_ID_FILE: '/id', CLIENT_SECRET_FILE: '/secret' }
export const read = readOperatorSettings({ env, resolvConf: '', podNamespace: undefined, version: '1' })

/** Our kinds as an API server serves them. */
export const served: ServedKinds = {
  resources: new Set(definitions.flatMap(({ resource: { plural } }) => [plural, `${plural}/status`])),
  schemas: new Map(
    definitions.map(({ resource, spec, status }) => [
      resource.kind,
      { type: 'object', properties: { spec: structural(spec), status: structural(status) } },
    ]),
  ),
}

export const node = { name: 'one', os: 'linux', architecture: 'arm64', kernel: '6.1.0', used: [] }

/** Everything is as it should be. */
export const well: Facts = {
  settings: { value: read },
  apiServer: { value: 'v1.36.1' },
  kinds: { value: served },
  forbidden: { value: [] },
  namespace: { value: { name: 'tailscale', forbiddenBy: undefined } },
  nodes: { value: [node] },
  services: { value: [{ by: 'Service default/kubernetes', text: '10.96.0.1' }] },
  pods: { value: [{ by: 'Pod apps/web', text: 'fd00::5' }] },
  unusable: { value: [] },
  key: { value: { value: undefined } },
  wishes: { value: [{ by: 'Connector office', tags: ['tag:k8s'], wants: [parsePrefix('10.7.0.0/16')!] }] },
  impersonators: { value: { all: [], hasAccount: false } },
  approvers: {
    value: { routes: [{ network: '10.0.0.0/8', by: ['tag:k8s'] }], exitNode: [], services: [] },
  },
  tuns: { value: [{ node: 'one', isThere: true }] },
  https: { value: true },
  magicDns: { value: true },
}

/** What is not ok where everything else is. */
export const complaints = (facts: Partial<Facts>): string[] =>
  judge({ ...well, ...facts })
    .filter(({ level }) => level !== 'ok')
    .map(lineOf)

export const late = { error: new Error('it took too long') }
