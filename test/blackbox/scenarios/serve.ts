import type { Environment } from '../agent.ts'
import { runningWithHttps } from '../localapi.ts'
import {
  capver,
  device,
  inKubernetes,
  inMemory,
  inSecret,
  type Scenarios,
  shortWaits,
  tailscaled,
  up,
  userspace,
  withKey,
} from './common.ts'

const authkey = { authkey: 'tskey-key' } as const
const login = up('--accept-dns=false', '--authkey=tskey-key')
const [start, startInSecret] = [
  [tailscaled(inMemory, userspace), login],
  [tailscaled(inSecret, userspace), login],
]
const known = { ...authkey, ...capver, ...device } as const

const path = 'etc/tailscaled/serve-config.json'
const servesFile: Environment = { TS_SERVE_CONFIG: `{root}/${path}` }
const file = (config: object) => ({ [path]: JSON.stringify(config) })

const name = 'test-node.test.ts.net'
const handlers = { Handlers: { '/': { Proxy: 'http://10.0.0.9:80' } } }
/** What upstream's test serves: a port without a site, and Tailscale Services without anything. */
const bare = { TCP: { 80: { HTTP: true } } }
const http = { ...bare, Web: { [`${name}:80`]: handlers } }
const site = (host: string) => ({
  TCP: { ...http.TCP, 443: { HTTPS: true } },
  Web: { ...http.Web, [`${host}:443`]: handlers },
})
const service = { TCP: { 5432: { TCPForward: '10.0.0.9:5432' } } }
const services = { Services: { 'svc:test-service-1': service, 'svc:test-service-2': service } }
const withEmpty = { Services: { ...services.Services, 'svc:empty': {} } }
const hosted = ['svc:test-service-1', 'svc:test-service-2']

/** What tailscaled serves, and hosts. */
export const serve: Scenarios = {
  serve_config_no_kube: {
    env: { ...withKey, ...servesFile },
    files: file(bare),
    phases: [
      { runs: start },
      { tell: runningWithHttps(), log: /warning: serve-config: port 80, TCP\["80"\]: no site is on this port: add / },
      { write: file(http), serves: http },
    ],
  },
  serve_config_kube: {
    env: { ...inKubernetes, ...servesFile },
    secret: { ...authkey, https_endpoint: 'of-an-earlier-run' },
    files: file(bare),
    phases: [
      { runs: startInSecret, secret: { ...authkey, ...capver } },
      { tell: runningWithHttps(), secret: { ...known, https_endpoint: 'no-https' } },
      { write: file(http), serves: http },
    ],
  },
  // At the stop, clients have time to go elsewhere: 20 s, were it not for the short waits.
  serve_config_with_service_auto_advertisement: {
    env: { ...withKey, ...shortWaits, ...servesFile },
    files: file({ ...http, ...withEmpty }),
    phases: [
      { runs: start, log: /warning: serve-config: svc:empty, Services\["svc:empty"\]: nothing is served: add TCP/ },
      { tell: runningWithHttps(), serves: { ...http, ...services }, hosts: hosted },
    ],
  },
  'Services that are not served any more': {
    env: { ...withKey, ...shortWaits, ...servesFile },
    files: file(services),
    phases: [
      { runs: start },
      { tell: runningWithHttps(), hosts: hosted },
      { write: file({ Services: { 'svc:test-service-2': service } }), hosts: ['svc:test-service-2'] },
      { write: file({}), serves: {}, hosts: [] },
    ],
  },
  'Services that somebody else advertises': {
    env: { ...withKey, ...servesFile, TS_EXPERIMENTAL_SERVICE_AUTO_ADVERTISEMENT: 'false' },
    files: file(services),
    phases: [
      { runs: start },
      {
        tell: runningWithHttps(),
        serves: services,
        lasts: 500,
      },
      { deed: ({ localApi }) => expectNever(localApi.seen.has('PATCH prefs')) },
    ],
  },
  'HTTPS that comes later': {
    env: { ...inKubernetes, ...shortWaits, ...servesFile },
    secret: authkey,
    files: file(site('${TS_CERT_DOMAIN}')),
    phases: [
      { runs: startInSecret, secret: { ...authkey, ...capver } },
      {
        tell: runningWithHttps(),
        secret: { ...known, https_endpoint: 'no-https' },
        serves: http,
        log: /port 443: it waits for HTTPS/,
      },
      { tell: runningWithHttps(name), secret: { ...known, https_endpoint: name }, serves: site(name) },
      { tell: runningWithHttps(), secret: { ...known, https_endpoint: 'no-https' }, serves: http },
    ],
  },
  'a serve config with mistakes': {
    env: { ...withKey, ...shortWaits, ...servesFile },
    files: file({ ...http, TCP: { ...http.TCP, 443: { HTTPS: 'yes' } } }),
    phases: [
      { runs: start, log: 'warning: serve-config: port 443, TCP["443"].HTTPS: "yes" is not true or false' },
      { tell: runningWithHttps(name), serves: http },
      { write: file(site(name)), serves: site(name) },
      { write: { [path]: '{"TCP":' }, log: /serve-config\.json: it is not JSON.*; the last good one stays in use/ },
      { write: { [path]: '' }, log: /serve-config\.json: it is empty \(write \{\} to remove all\)/ },
      { write: { [path]: null }, log: /serve-config\.json: it is absent/, serves: site(name) },
      { write: file({}), serves: {} },
    ],
  },
  'shared certificates without a name': {
    env: { ...withKey, ...servesFile, TS_EXPERIMENTAL_CERT_SHARE: 'true' },
    phases: [
      { runs: start, log: /warning: TS_EXPERIMENTAL_CERT_SHARE needs POD_NAME/ },
      { tell: runningWithHttps(), serves: {} },
    ],
  },
}

function expectNever(happened: boolean): void {
  if (happened) throw new Error('it was advertised')
}
