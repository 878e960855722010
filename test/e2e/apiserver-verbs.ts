import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { toolsImage } from '../lab/cluster/images.ts'
import type { ApiServerBed, Mode } from './apiserver-bed.ts'
import { clientEnv } from './apiserver-clients.ts'
import { wires } from './apiserver-sessions.ts'

const image = [`--image=${toolsImage}`, '--image-pull-policy=Never']

/** Tests of what kubectl does beyond sessions in a mode of the proxy. */
export function testVerbs(its: () => ApiServerBed, mode: Mode): void {
  describe(`kubectl in the mode ${mode}`, () => ofMode(its, mode))
}

function ofMode(its: () => ApiServerBed, mode: Mode): void {
  let own: Readonly<Record<string, string>>
  beforeAll(async () => {
    own = await clientEnv(its(), mode)
  })
  const kubectl = (argv: readonly string[], more: { readonly input?: string; readonly env?: object } = {}) =>
    its().kubectl('alice', argv, { ...more, env: { ...own, ...more.env } })

  test('large objects, server-side apply, raw paths', async () => {
    const data = { large: 'y'.repeat(700_000) }
    const object = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'large' }, data })
    await kubectl(['apply', '--server-side', '--filename=-'], { input: object })
    expect(await kubectl(['get', 'configmap', 'large', '--output=jsonpath={.data.large}'])).toBe(data.large)
    expect(await kubectl(['get', '--raw=/readyz'])).toBe('ok')
    await kubectl(['delete', 'configmap', 'large'])
  })

  test('logs that are followed show what is written meanwhile', async () => {
    const argv = ['kubectl', 'logs', '--follow', 'app']
    const logs = await its().bed.host('alice').spawn(argv, { name: 'logs', env: own })
    await logs.line(/^ready$/)
    await kubectl(['exec', 'app', '--', 'sh', '-c', 'echo told > /proc/1/fd/1'])
    await logs.line(/^told$/)
    await logs.stop()
  })

  test.each(wires)(
    'over %s, a new Pod gets what is typed, and a debugger in another one shows what it prints',
    async (name, env) => {
      const run = ['run', `attached-${name.toLowerCase()}`, ...image, '--restart=Never', '--rm', '--stdin', '--quiet']
      expect(await kubectl([...run, '--', 'cat'], { input: 'typed', env })).toContain('typed')
      const container = `--container=debugger-${name.toLowerCase()}`
      // What it prints before kubectl is attached is not shown.
      const loop = 'until [ -e /done ]; do echo debugging; sleep 0.2; done'
      const debug = ['kubectl', 'debug', 'app', container, ...image, '--attach', '--', 'sh', '-c', loop]
      const shown = await its()
        .bed.host('alice')
        .spawn(debug, { name: `debug-${name}`, env: { ...own, ...env } })
      await shown.line(/^debugging$/)
      await kubectl(['exec', 'app', container, '--', 'touch', '/done'], { env })
      expect(await shown.exited).toMatchObject({ code: 0 })
    },
  )

  test('top shows what an API behind an APIService answers, which learns who asks', async () => {
    const { bed } = its()
    const [proxy, port] = [bed.host('proxy'), 4443]
    const [key, certificate] = ['/tmp/metrics.key', '/tmp/metrics.crt']
    const issued = ['-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=metrics']
    await proxy.exec(['openssl', 'req', ...issued, '-keyout', key, '-out', certificate])
    const program = join(import.meta.dirname, 'programs/metrics-api.ts')
    const served = await proxy.spawn([process.execPath, program, key, certificate, String(port)], { name: 'metrics' })
    await served.line(/^ready$/)
    await bed.cluster.apply(...metricsApi(proxy.address.v4!, port))
    const user = await kubectl(['auth', 'whoami', '--output=jsonpath={.status.userInfo.username}'])
    const top = () => kubectl(['top', 'pods', '--no-headers']).catch(String)
    // The API server looks for it from time to time.
    await expect.poll(top).toMatch(new RegExp(`^${user} +250m +64Mi`))
    await bed.cluster.kubectl(['delete', 'apiservice', 'v1beta1.metrics.k8s.io'])
    await served.stop()
  })
}

/** Has the API server ask this address for metrics. */
function metricsApi(address: string, port: number) {
  const metadata = { name: 'metrics', namespace: 'default' }
  return [
    { apiVersion: 'v1', kind: 'Service', metadata, spec: { ports: [{ name: 'https', port: 443, targetPort: port }] } },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': metadata.name } },
      addressType: 'IPv4',
      ports: [{ name: 'https', port }],
      endpoints: [{ addresses: [address], conditions: { ready: true } }],
    },
    {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: 'v1beta1.metrics.k8s.io' },
      spec: {
        group: 'metrics.k8s.io',
        version: 'v1beta1',
        service: metadata,
        insecureSkipTLSVerify: true,
        groupPriorityMinimum: 100,
        versionPriority: 100,
      },
    },
  ]
}
