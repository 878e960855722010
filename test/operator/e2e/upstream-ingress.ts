import { beforeAll, expect, test } from 'vitest'
import { backend, type IngressCluster } from './ingress-cluster.ts'
import { nothingLeft } from './nothing-left.ts'
import { TailnetSite } from './tailnet-site.ts'

export function upstreamIngress(started: () => IngressCluster): void {
  let cluster: IngressCluster
  let app: TailnetSite
  beforeAll(async () => {
    cluster = started()
    await cluster.operate('upstream')
    app = new TailnetSite(cluster.bed, 'app')
  })

  const site = { defaultBackend: backend('web') }
  const status = () => cluster.entries('ingress', 'web')

  test('Tailscale’s agent serves an Ingress, with changes, and TCP ports of a Service under its name', async () => {
    await cluster.setIngress(site)
    await expect.poll(status).toMatchObject([{ hostname: app.fqdn }])
    await app.serves('"web"')
    await cluster.expose('db', [{ port: 5432 }, { port: 53, protocol: 'UDP' }])
    await app.reaches('echo', 5432)
    await expect
      .poll(() => cluster.condition('db'))
      .toMatch(/^False: not forwarded: udp\/53: Tailscale’s agent.*for tcp\/5432$/)
    await cluster.setIngress({ defaultBackend: backend('other') }, { 'tailscale.com/http-redirect': 'true' })
    await app.serves('"other"')
    await expect.poll(() => app.get('/', { tls: false })).toMatchObject({ status: 301 })
  })

  test('nothing is left of what Tailscale’s agent ran for', async () => {
    await Promise.all([cluster.remove('service', 'db'), cluster.remove('ingress', 'web')])
    await nothingLeft(cluster.bed)
    expect(cluster.operator!.errors).toEqual([])
  })
}
