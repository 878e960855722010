import { isDeepStrictEqual } from 'node:util'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import packageJson from '../../package.json' with { type: 'json' }
import { labels, type ParentType } from '../../operator/objects/names.ts'
import { recorderContainer } from '../../operator/recorder/container.ts'
import { readOperatorSettings } from '../../operator/settings/read.ts'
import type { KubeObject } from '../lab/cluster/kubectl.ts'
import { chart, helm } from '../lab/helm.ts'
import { projectRoot } from '../lab/paths.ts'
import { readYaml } from '../users/readers/yaml.ts'
import { render } from './render.ts'

type Variable = { readonly name: string; readonly value: string }
type Workload = KubeObject & {
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly [{ readonly env: readonly Variable[] }] } }
  }
}

const folder = join(import.meta.dirname, 'values')
const files = readdirSync(folder)
const argumentOf = (file: string): string => `--values=${join(folder, file)}`
const isWorkload = (object: KubeObject): object is Workload => object.kind === 'Deployment' || object.kind === 'Job'
const isDefinition = ({ kind }: KubeObject): boolean => kind === 'CustomResourceDefinition'
const rulesOf = ({ rules = [] }: KubeObject): readonly unknown[] => rules as readonly unknown[]

test.each(files)('with %s, objects differ from the defaults as its golden file says', async (file) => {
  const [all, plain] = await Promise.all([render(argumentOf(file), '--set=installCRDs=false'), render()])
  const rules = plain.flatMap(rulesOf)
  const changed = all
    .filter((object) => !plain.some((one) => isDeepStrictEqual(one, object)))
    // Of rights, only what the defaults do not have.
    .map((object) =>
      'rules' in object
        ? { ...object, rules: rulesOf(object).filter((rule) => !rules.some((one) => isDeepStrictEqual(one, rule))) }
        : object,
    )
  const text = changed.map((one) => stringify(one, { aliasDuplicateObjects: false, singleQuote: true, lineWidth: 0 }))
  await expect(text.join('---\n')).toMatchFileSnapshot(join(import.meta.dirname, 'golden', file))
})

test.each(files)('with %s, lint finds nothing, and the operator has valid settings', async (file) => {
  await helm(['lint', '--strict', '--quiet', chart, argumentOf(file)])
  for (const { spec } of (await render(argumentOf(file))).filter(isWorkload)) {
    const env = Object.fromEntries(spec.template.spec.containers[0].env.map(({ name, value }) => [name, value]))
    const read = readOperatorSettings({ env, resolvConf: '', podNamespace: 'tailscale', version: '0.1.0' })
    expect(read.warnings).toEqual([])
  }
})

test('the version is that of the project', () => {
  const [{ version, appVersion } = {}] = readYaml<Record<string, string>>(
    readFileSync(join(chart, 'Chart.yaml'), 'utf8'),
  )
  expect({ version, appVersion }).toEqual({ version: packageJson.version, appVersion: packageJson.version })
})

test('monitoring has the alert rules and the dashboard', async () => {
  const parts = ['podMonitor', 'prometheusRule', 'dashboard']
  const all = await render(
    ...parts.map((part) => `--set=monitoring.${part}.enabled=true`),
    '--set=monitoring.prometheusRule.labels.release=prometheus',
  )
  const one = (kind: string, named = 'operator') =>
    all.find((object) => object.kind === kind && (object.metadata.name ?? '').startsWith(named))
  const read = (file: string) => readFileSync(join(chart, 'files', file), 'utf8')
  expect(one('PrometheusRule')).toMatchObject({
    metadata: { labels: { release: 'prometheus' } },
    spec: readYaml<object>(read('alerts.yaml'))[0],
  })
  expect(one('PrometheusRule', 'operator-proxies')).toMatchObject({
    metadata: { labels: { release: 'prometheus' } },
    spec: readYaml<object>(read('agent-alerts.yaml'))[0],
  })
  expect(one('PrometheusRule', 'operator-recorders')).toMatchObject({
    metadata: { labels: { release: 'prometheus' } },
    spec: readYaml<object>(read('recorder-alerts.yaml'))[0],
  })
  expect(one('ConfigMap')).toMatchObject({
    metadata: { labels: { grafana_dashboard: '1' } },
    data: {
      'culvert-operator.json': read('dashboard.json'),
      'culvert-proxies.json': read('agent-dashboard.json'),
      'culvert-recorders.json': read('recorder-dashboard.json'),
    },
  })
  const own = { app: 'operator' }
  expect(one('PodMonitor')).toMatchObject({ spec: { selector: { matchLabels: own } } })
  expect(one('Deployment')).toMatchObject({ spec: { template: { metadata: { labels: own } } } })
})

test('monitoring finds the Pods of recorders, and only these', async () => {
  const all = await render('--set=monitoring.podMonitor.enabled=true')
  const monitor = all.find(({ kind, metadata }) => kind === 'PodMonitor' && metadata.name === 'operator-recorders')
  expect(monitor).toMatchObject({
    metadata: { namespace: 'tailscale' },
    spec: {
      selector: { matchLabels: { [labels.parentType]: 'recorder' satisfies ParentType } },
      podMetricsEndpoints: [{ port: 'metrics' }],
    },
  })
  expect(recorderContainer({ spec: {}, volume: undefined, volumeClass: undefined, hostnames: [] }, '')).toMatchObject({
    ports: [{ name: 'metrics' }],
  })
})

describe('the definitions of the kinds', () => {
  test('are those of operator/crds, and stay after `helm uninstall`', async () => {
    const crds = join(projectRoot, 'operator/crds')
    const own = readdirSync(crds).flatMap((file) => readYaml<KubeObject>(readFileSync(join(crds, file), 'utf8')))
    const annotations = { 'helm.sh/resource-policy': 'keep' }
    const kept = own.map((crd) => ({ ...crd, metadata: { ...crd.metadata, annotations } }))
    const made = (await render()).filter(isDefinition)
    expect(made).toHaveLength(kept.length)
    expect(made).toEqual(expect.arrayContaining(kept))
  })

  test('go with keepCRDs=false', async () => {
    const made = (await render('--set=keepCRDs=false,cleanup.enabled=true')).filter(isDefinition)
    expect(made.map(({ metadata }) => metadata['annotations'])).toEqual(made.map(() => undefined))
    expect(made).not.toEqual([])
  })
})

const secret = 'oauth.clientSecret=s'
test.each([
  ['an unknown value', 'proxyConfg.defaultTags=tag:k8s', "additional properties 'proxyConfg' not allowed"],
  [
    'one that is at another place',
    'operatorConfig.defaultProxyClass=a',
    "at '/operatorConfig': additional properties 'defaultProxyClass' not allowed",
  ],
  ['a number of replicas that is a text', 'operatorConfig.replicas=two', "at '/operatorConfig/replicas': got string"],
  ['a misspelt level', 'operatorConfig.logging=verbose', "at '/operatorConfig/logging': value must be one of 'info'"],
  [
    'a tag without "tag:"',
    'proxyConfig.defaultTags=k8s',
    "at '/proxyConfig/defaultTags': 'k8s' does not match pattern",
  ],
  ['a login server without https', 'loginServer=headscale.example.com', "at '/loginServer': "],
  ['a digest without its kind', 'operatorConfig.image.digest=0123', "at '/operatorConfig/image/digest': "],
  [
    'an unknown mode of the proxy of the API server',
    'apiServerProxyConfig.mode=auth',
    "at '/apiServerProxyConfig/mode': value must be one of 'true'",
  ],
  [
    'the proxy of the API server beside another agent',
    'apiServerProxyConfig.mode=noauth,proxyConfig.agent=upstream',
    'apiServerProxyConfig.mode needs proxyConfig.agent: culvert',
  ],
  ['an ID without a secret', 'oauth.clientId=a', 'oauth.clientId needs oauth.clientSecret or oauth.audience, too'],
  ['a secret without an ID', secret, 'oauth.clientSecret needs oauth.clientId, too'],
  ['an audience without an ID', 'oauth.audience=a', 'oauth.audience needs oauth.clientId, too'],
  ['two ways to log in', `${secret},oauth.clientId=a,oauth.audience=a`, 'exclude each other'],
  [
    'two sources of credentials',
    `${secret},oauth.clientId=a,oauthSecretVolume.secret.secretName=b`,
    'oauthSecretVolume and oauth.clientId exclude each other',
  ],
  ['definitions that would never go', 'keepCRDs=false', 'keepCRDs: false needs cleanup.enabled: true'],
])('%s is refused', async (_what, value, message) => {
  await expect(render(`--set=${value}`)).rejects.toThrow(message)
})
