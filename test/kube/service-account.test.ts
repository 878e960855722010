import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { kubeClient } from '../../kube/client.ts'
import { urlOf } from '../../kube/endpoint.ts'
import { endpointOf, type InCluster, serviceAccount } from '../../kube/service-account.ts'

describe('the address of the API server', () => {
  const from = { root: '', host: '10.96.0.1', port: '443', addressFromEnv: true }
  it.each<[InCluster, object, string]>([
    [from, { host: '10.96.0.1', port: 443 }, 'https://10.96.0.1'],
    [{ ...from, port: '6443' }, { host: '10.96.0.1', port: 6443 }, 'https://10.96.0.1:6443'],
    [{ ...from, port: '' }, { host: '10.96.0.1', port: 443 }, 'https://10.96.0.1'],
    [{ ...from, host: 'fd00:96::1', port: '6443' }, { host: 'fd00:96::1', port: 6443 }, 'https://[fd00:96::1]:6443'],
    [{ ...from, host: '[fd00:96::1]' }, { host: 'fd00:96::1', port: 443 }, 'https://[fd00:96::1]'],
    [{ ...from, host: 'api.lab' }, { host: 'api.lab', port: 443 }, 'https://api.lab'],
    [
      { ...from, addressFromEnv: false },
      { host: 'kubernetes.default.svc', port: 443, fallback: { host: '10.96.0.1', port: 443 } },
      'https://kubernetes.default.svc',
    ],
    [
      { ...from, host: '[fd00:96::1]', port: '6443', addressFromEnv: false },
      { host: 'kubernetes.default.svc', port: 443, fallback: { host: 'fd00:96::1', port: 6443 } },
      'https://kubernetes.default.svc',
    ],
    [
      { ...from, host: '', port: '', addressFromEnv: false },
      { host: 'kubernetes.default.svc', port: 443 },
      'https://kubernetes.default.svc',
    ],
  ])('%j', (cluster, endpoint, url) => {
    expect(endpointOf(cluster)).toEqual(endpoint)
    expect(urlOf(endpointOf(cluster))).toBe(url)
  })
})

describe('the files', () => {
  const signal = new AbortController().signal
  let root: string
  const write = (name: string, content: string): void =>
    writeFileSync(join(root, 'var/run/secrets/kubernetes.io/serviceaccount', name), content)

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'culvert-'))
    mkdirSync(join(root, 'var/run/secrets/kubernetes.io/serviceaccount'), { recursive: true })
  })
  afterEach(() => rmSync(root, { recursive: true }))

  const good = { namespace: 'ts', token: 't', 'ca.crt': '-----BEGIN CERTIFICATE-----' }

  it('are trimmed, and read again each time', () => {
    const account = serviceAccount(root)
    write('namespace', 'ts\n')
    write('token', ' first\n')
    expect([account.namespace(), account.token()]).toEqual(['ts', 'first'])
    write('token', 'second')
    expect(account.token()).toBe('second')
  })

  it.each([
    ['namespace', undefined, "the service account's namespace cannot be read"],
    ['namespace', '\n', "the service account's namespace in .*/serviceaccount/namespace is none"],
    ['token', undefined, "the service account's token cannot be read"],
    ['token', 'two\nlines', "the service account's token in .* is none"],
    ['ca.crt', undefined, "the service account's ca.crt cannot be read"],
    ['ca.crt', 'a page', "the service account's ca.crt in .* is none"],
  ])('without a usable %s (%j) calls fail permanently, and say what to do', async (missing, content, message) => {
    for (const [name, text] of Object.entries(good)) if (name !== missing) write(name, text)
    if (content !== undefined) write(missing, content)
    const client = kubeClient({ root, host: '127.0.0.1', port: '1', addressFromEnv: true })
    await expect(client.getSecret('a', signal)).rejects.toMatchObject({
      code: 'kubernetes',
      message: expect.stringMatching(message),
      remedy: expect.stringContaining('automountServiceAccountToken'),
      status: undefined,
      retryable: false,
    })
  })
})
