import { expect, test } from 'vitest'
import { backend, type IngressCluster } from './ingress-cluster.ts'
import { made } from './nothing-left.ts'
import { TailnetSite } from './tailnet-site.ts'

/** `isLong`: also with another class, by which all Pods are replaced. */
export function httpsBackend(started: () => IngressCluster, isLong = false): void {
  test('a backend with HTTPS is used as the annotation says: with any certificate, or only with one that is verified', async () => {
    const cluster = started()
    const { bed } = cluster
    await bed.cluster.apply({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'api', namespace: 'default', annotations: {} },
      spec: {
        ingressClassName: 'tailscale',
        tls: [{ hosts: ['api'] }],
        defaultBackend: backend('kubernetes', { name: 'https' }),
      },
    })
    const api = new TailnetSite(bed, 'api')
    const annotate = (text: string) =>
      bed.cluster.kubectl(['annotate', '--overwrite', 'ingress', 'api', `culvert/backend-protocol=${text}`])
    await api.serves('ok', '/livez')
    await annotate('HTTPS')
    // Proxies here trust only the authority of the bed.
    await expect.poll(() => api.get('/livez')).toMatchObject({ status: 502 })
    if (isLong) {
      // The authority of the cluster, for which the name of the Service is valid.
      const env = [{ name: 'SSL_CERT_DIR', value: '/var/run/secrets/kubernetes.io/serviceaccount' }]
      await cluster.setClass({ tailscaleContainer: { env } })
      await api.serves('ok', '/livez')
    }
    await annotate('https=HTTPS+INSECURE')
    await api.serves('ok', '/livez')
    await annotate('HTTP')
    await expect.poll(() => api.get('/livez')).toMatchObject({ status: 400 })
    await cluster.remove('ingress', 'api')
    await expect.poll(async () => (await made(bed)).filter((name) => name.includes('ts-api-'))).toEqual([])
  })
}
