import { expect, it } from 'vitest'
import { addressWarnings } from '../../../agent/lifecycle/preflight.ts'
import { type Environment, readSettings } from '../../../agent/settings/read.ts'

const warnings = (env: Environment) => addressWarnings(readSettings({ TS_USERSPACE: 'false', ...env }).settings).join()

it.each<[string, Environment, RegExp]>([
  ['the Pod', { POD_IPS: '100.64.0.9,fd00::1' }, /^the Pod \(100\.64\.0\.9\) has.*--netfilter-mode=off/],
  ['the API', { KUBERNETES_SERVICE_HOST: '100.127.255.1' }, /^the Kubernetes API \(100\.127\.255\.1\) has/],
  [
    'a target and the Pod',
    { POD_IPS: '100.100.0.1', TS_DEST_IP: '100.80.1.2' },
    /^the Pod .*, the target \(100\.80\.1\.2\)/,
  ],
])('%s in the tailnet’s range causes a warning', (_name, env, warning) => {
  expect(warnings(env)).toMatch(warning)
})

it.each(['127.0.0.1', '::1', '0.0.0.0', 'fe80::1', '224.0.0.1'])('the target %s causes a warning', (target) => {
  expect(warnings({ TS_DEST_IP: `10.0.0.1,${target}` })).toMatch(
    new RegExp(`^TS_DEST_IP has ${target}, [^,]+, to which the kernel forwards nothing: for a program in this Pod`),
  )
})

it.each<Environment>([
  {},
  { TS_DEST_IP: '169.254.20.10,10.0.0.1' },
  { TS_DEST_IP: '127.0.0.1', CULVERT_DEST_PORTS: 'tcp/80', CULVERT_PROXY_PROTOCOL: '2' },
  { POD_IPS: '100.63.255.255', TS_DEST_IP: '100.128.0.1', KUBERNETES_SERVICE_HOST: 'kubernetes.example' },
  { TS_USERSPACE: 'true', POD_IPS: '100.64.0.9' },
])('%j causes no warning', (env) => {
  expect(warnings(env)).toBe('')
})
