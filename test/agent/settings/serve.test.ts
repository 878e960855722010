import { expect, it } from 'vitest'
import { readSettings } from '../../../agent/settings/read.ts'

const shares = { TS_EXPERIMENTAL_CERT_SHARE: 'true', TS_KUBE_SECRET: 's' }

it.each<[Record<string, string>, 'rw' | 'ro' | undefined, RegExp]>([
  [{ ...shares, POD_NAME: 'group-0' }, 'rw', /^$/],
  [{ ...shares, POD_NAME: 'group-1' }, 'ro', /^$/],
  [{ ...shares, POD_NAME: 'group-10' }, 'ro', /^$/],
  [{ ...shares, POD_NAME: 'single' }, 'ro', /^$/],
  [shares, undefined, /needs POD_NAME.*Set POD_NAME from metadata\.name/],
  [{ ...shares, POD_NAME: 'group-1', TS_KUBE_SECRET: '' }, undefined, /state in a Secret.*Set TS_KUBE_SECRET/],
  [{ ...shares, POD_NAME: 'group-0', TS_EXPERIMENTAL_CERT_SHARE: 'false' }, undefined, /^$/],
])('the role in certificate sharing: %j', (env, role, logged) => {
  const { settings, warnings } = readSettings({ TS_USERSPACE: 'true', ...env })
  expect(settings.certShare).toBe(role)
  expect(warnings.join('\n')).toMatch(logged)
})

it.each<[Record<string, string>, boolean, RegExp]>([
  [{ TS_KUBE_SECRET: 's' }, true, /^$/],
  [{}, false, /CULVERT_REQUEST_CERTIFICATE has no effect.*Set TS_KUBE_SECRET/],
  [{ ...shares, POD_NAME: 'group-0' }, false, /^$/],
])('whether the certificate of the node’s own name is requested: %j', (env, requests, logged) => {
  const { settings, warnings } = readSettings({ TS_USERSPACE: 'true', CULVERT_REQUEST_CERTIFICATE: 'true', ...env })
  expect(settings.requestsCertificate).toBe(requests)
  expect(warnings.join('\n')).toMatch(logged)
})
