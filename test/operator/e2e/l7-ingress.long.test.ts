import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { ask } from '../../lab/bed.ts'
import { namespace } from '../operator-process.ts'
import { httpsBackend } from './https-backend.ts'
import { backend, IngressCluster } from './ingress-cluster.ts'
import { nothingLeft } from './nothing-left.ts'
import { oneName } from './one-name.ts'
import { TailnetSite } from './tailnet-site.ts'

let cluster: IngressCluster
let app: TailnetSite
beforeAll(async () => {
  cluster = await IngressCluster.start()
  app = new TailnetSite(cluster.bed, 'app')
})
afterAll(() => cluster[Symbol.asyncDispose]())
beforeEach(() => cluster.printLogsOnFailure())

const plain = { defaultBackend: backend('web') }

type Pod = { readonly spec: object; readonly status: { readonly podIPs?: readonly { readonly ip: string }[] } }
const pods = () => cluster.bed.cluster.list<Pod>('pods', namespace)

httpsBackend(() => cluster, true)

test('the cluster uses the site at the address of the Pod, of both families, if an annotation says so', async () => {
  const { bed } = cluster
  await cluster.setIngress(plain, { 'tailscale.com/experimental-forward-cluster-traffic-via-ingress': 'true' })
  const answers = async (): Promise<readonly string[]> => {
    const [pod] = await pods()
    const from = await bed.cluster.pod('echo')
    const asked = pod?.status.podIPs?.map(({ ip }) =>
      ask(from, { to: ip, name: app.fqdn, protocol: 'https', patience: 5000 }),
    )
    return Promise.all(asked?.map((answer) => answer.then(({ host }) => host, String)) ?? [])
  }
  await expect.poll(answers).toEqual(['web', 'web'])
  await app.serves('"web"')
  await cluster.setIngress(plain)
  await expect.poll(pods).toMatchObject([{ spec: { securityContext: { runAsNonRoot: true } } }])
  await app.serves('"web"')
})

test('nothing is left of an Ingress that is deleted', async () => {
  await cluster.remove('ingress', 'web')
  await nothingLeft(cluster.bed)
  expect(cluster.operator!.errors).toEqual([])
})

describe('an Ingress and Services of one name', () => oneName(() => cluster, true))
