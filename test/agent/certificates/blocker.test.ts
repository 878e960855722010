import { expect, it } from 'vitest'
import { blocker, keptDomains } from '../../../agent/certificates/blocker.ts'
import type { MountedFiles, Tailnet, World } from '../../../agent/world/world.ts'
import type { ServeConfig } from '../../../wire/serve-config.ts'
import { aWorld, self } from '../a-world.ts'

const web = 'web.lab.ts.net'
const config: ServeConfig = {
  Services: {
    'svc:web': {
      TCP: { 443: { HTTPS: true } },
      Web: { [`${web}:443`]: { Handlers: {} }, 'own.lab.ts.net:8443': { Handlers: {} } },
    },
    'svc:db': { TCP: { 5432: { TCPForward: 'db:5432', TerminateTLS: 'db.lab.ts.net' } } },
    'svc:own': { Web: { '${TS_CERT_DOMAIN}:443': { Handlers: {} } } },
  },
}
const group = { TS_USERSPACE: 'true', TS_EXPERIMENTAL_CERT_SHARE: 'true', TS_KUBE_SECRET: 's', POD_NAME: 'group-0' }
const tagged = { ...self, tags: ['tag:group'] }
const well: Tailnet = {
  watching: true,
  noSnat: false,
  health: new Map(),
  state: 'Running',
  self: tagged,
  hosted: ['svc:web'],
  certDomains: ['p.lab.ts.net', web],
}
const mounted: MountedFiles = { serveConfig: { content: { config, rejections: [], warnings: [] } } }

function world(
  change: Partial<Tailnet> = {},
  more: Partial<World> = {},
  env: Readonly<Record<string, string>> = group,
): World {
  return aWorld({ tailnet: { ...well, ...change }, mounted, ...more }, env)
}

it('a group shares certificates for the names of its Services only; other agents share none', () => {
  expect(keptDomains(world())).toEqual(['db.lab.ts.net', web])
  expect(keptDomains(world({}, { mounted: { serveConfig: { content: undefined } } }))).toEqual([])
  expect(keptDomains(world({}, {}, { TS_USERSPACE: 'true', POD_NAME: 'group-0' }))).toEqual([])
})

it('one that is to request the certificate of its own name looks after that, once it is served with TLS', () => {
  const own = 'p.lab.ts.net'
  const env = { ...group, TS_EXPERIMENTAL_CERT_SHARE: 'false', CULVERT_REQUEST_CERTIFICATE: 'true' }
  const site = (port: string): Partial<World> => ({
    mounted: {
      serveConfig: {
        content: {
          config: {
            TCP: { [port]: port === '443' ? { HTTPS: true } : { HTTP: true } },
            Web: { [`\${TS_CERT_DOMAIN}:${port}`]: { Handlers: {} } },
            Services: config.Services ?? {},
          },
          rejections: [],
          warnings: [],
        },
      },
    },
  })
  const served = { self: { ...tagged, name: `${own}.` } }
  expect(keptDomains(world(served, site('443'), env))).toEqual([own])
  expect(keptDomains(world(served, site('80'), env))).toEqual([])
  expect(keptDomains(world({ ...served, certDomains: [] }, site('443'), env))).toEqual([])
  expect(keptDomains(world(served, site('443'), { ...env, CULVERT_REQUEST_CERTIFICATE: 'false' }))).toEqual([])
})

const gone = (name: keyof Tailnet): Partial<Tailnet> => ({ [name]: undefined })

it.each<[string, Partial<Tailnet>, Partial<World>, string | undefined, RegExp]>([
  ['nothing', {}, {}, undefined, /^$/],
  [
    'tailscaled starts',
    {},
    { daemon: { phase: 'starting', restarts: 0 } },
    'not-running',
    /not running in the tailnet/,
  ],
  ['it is not logged in', { state: 'NeedsLogin' }, {}, 'not-running', /login/],
  ['its state is unknown', gone('state'), {}, 'not-running', /login/],
  ['the certificate domains are unknown', gone('certDomains'), {}, 'not-running', /login/],
  ['HTTPS is off', { certDomains: [] }, {}, 'https-off', /Enable HTTPS certificates/],
  ['HTTPS is off, and the node has no tag', { certDomains: [], self }, {}, 'https-off', /Enable/],
  ['the node has no tag', { certDomains: ['p.lab.ts.net'], self }, {}, 'untagged', /svc:web.*has a tag/],
  [
    'another node hosts the Service',
    { certDomains: ['p.lab.ts.net'], hosted: [] },
    {},
    'not-hosted',
    /host svc:web\..*autoApprovers/,
  ],
  [
    'the name is of another tailnet',
    { certDomains: ['p.lab.ts.net', 'web.other.ts.net'] },
    {},
    'no-cert-domain',
    /web\.other\.ts\.net/,
  ],
  [
    'the hosted Services are unknown',
    { ...gone('hosted'), certDomains: ['p.lab.ts.net'] },
    {},
    'no-cert-domain',
    /p\.lab/,
  ],
])('blocked while %s', (_name, tailnet, more, reason, words) => {
  const found = blocker(world(tailnet, more), web)
  expect(found?.reason).toBe(reason)
  expect(found === undefined ? '' : `${found.text}. ${found.remedy}`).toMatch(words)
})
