import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { KubeObject } from '../../../kube/controller/object.ts'
import { systemClock } from '../../../lib/clock.ts'
import { ApiError } from '../../../operator/api/error.ts'
import { printLogsOnFailure } from '../../lab/vitest.ts'
import { settings } from '../a-world.ts'
import { custom, everything, operate, playedTailnet, startPlayed } from '../operate.ts'
import { testRecorders } from '../recorder/recorders.ts'

type Played = Awaited<ReturnType<typeof startPlayed>>
let bed: Played['bed']
let real: Played['real']
let shown: Played['shown']
let end: Played['end']
beforeAll(async () => {
  ;({ bed, real, shown, end } = await startPlayed())
})
afterAll(() => end())
beforeEach(() => printLogsOnFailure(bed))

const made = (name: string, spec: object) => custom('Connector', name, spec)
const namesOf = async (kind: string, name: string): Promise<string[]> =>
  (await shown.children(kind, name)).map(({ metadata }) => metadata.name.replace(/^.*-/, '')).toSorted()
/** What the devices of a Connector are told to be. */
const configs = async (name: string): Promise<{ Hostname: string; AuthKey?: string; AdvertiseRoutes: string[] }[]> =>
  (await shown.children('secret', name)).map(
    ({ data }) =>
      JSON.parse(Buffer.from((data as Record<string, string>)['cap-107.hujson'] ?? '', 'base64').toString()) as {
        Hostname: string
        AuthKey?: string
        AdvertiseRoutes: string[]
      },
  )
/** Waits until no config has an auth key: the last may go a moment after all devices are up. */
const hasNoKeys = (name: string) =>
  expect.poll(async () => (await configs(name)).filter(({ AuthKey }) => AuthKey !== undefined)).toEqual([])

test('a Connector comes, changes, shrinks and goes', async () => {
  /** What there is when a device is removed: replicas that are wanted, and surplus Pods. */
  const atRemoval: string[] = []
  const tailnet = playedTailnet(async (call) => {
    if (!call.startsWith('remove device')) return
    const [set] = await shown.children('statefulset', 'life')
    const { replicas } = (set?.['spec'] ?? { replicas: 0 }) as { replicas: number }
    const surplus = (await namesOf('pod', 'life')).filter((ordinal) => Number(ordinal) >= replicas)
    atRemoval.push(`${replicas} wanted, ${surplus.length} surplus`)
  })
  await using operator = await operate(real, tailnet)
  const spec = {
    hostnamePrefix: 'office',
    replicas: 3,
    subnetRouter: { advertiseRoutes: ['10.2.0.0/16', '10.1.0.0/16'] },
  }
  await bed.cluster.apply(made('life', spec))
  await expect.poll(() => shown.standing('life')).toBe('ConnectorCreated: 3 of 3 devices are up')
  expect((await configs('life')).map(({ Hostname }) => Hostname)).toEqual(['office-0', 'office-1', 'office-2'])
  const status = await shown.status('connector', 'life')
  expect(status).toMatchObject({ subnetRoutes: '10.1.0.0/16,10.2.0.0/16', isExitNode: false, isAppConnector: false })
  expect(status['devices']).toMatchObject([0, 1, 2].map((ordinal) => ({ hostname: `office-${ordinal}.lab.ts.net` })))

  await bed.cluster.apply(made('life', { ...spec, exitNode: true }))
  await expect.poll(async () => (await shown.status('connector', 'life'))['isExitNode']).toBe(true)
  expect((await configs('life')).map(({ AdvertiseRoutes }) => AdvertiseRoutes.join())).toEqual(
    Array.from({ length: 3 }, () => '0.0.0.0/0,::/0,10.1.0.0/16,10.2.0.0/16'),
  )

  await bed.cluster.apply(made('life', { ...spec, replicas: 1 }))
  await expect.poll(() => namesOf('secret', 'life')).toEqual(['0'])
  await expect.poll(() => shown.standing('life')).toBe('ConnectorCreated: 1 of 1 device is up')
  expect(atRemoval).toEqual(['1 wanted, 0 surplus', '1 wanted, 0 surplus'])

  await bed.cluster.apply(made('life', { ...spec, replicas: 0 }))
  await expect.poll(() => shown.standing('life')).toBe('ConnectorCreated: No devices are wanted.')
  await expect.poll(() => namesOf('secret', 'life')).toEqual([])
  await expect.poll(() => shown.status('connector', 'life')).not.toHaveProperty('devices')
  expect(await shown.status('connector', 'life')).not.toHaveProperty('hostname')
  expect(atRemoval.slice(2)).toEqual(['0 wanted, 0 surplus'])
  expect(tailnet.calls.filter((call) => call.startsWith('mint'))).toEqual(
    Array.from({ length: 3 }, () => 'mint tag:k8s Connector life'),
  )

  await bed.cluster.apply(made('life', spec))
  await expect.poll(() => shown.standing('life')).toBe('ConnectorCreated: 3 of 3 devices are up')
  await bed.cluster.kubectl(['delete', 'connector/life', '--timeout=300s'])
  expect(await shown.children(everything, 'life')).toEqual([])
  expect(tailnet.calls.filter((call) => call.startsWith('remove device'))).toHaveLength(6)
  expect(operator.bugs()).toEqual([])
})

test('what is refused leaves what is there, and tells what to do', async () => {
  const tailnet = playedTailnet()
  await using operator = await operate(real, tailnet)
  await bed.cluster.apply(made('kept', { exitNode: true }))
  await expect.poll(() => shown.standing('kept')).toBe('ConnectorCreated: 1 of 1 device is up')
  await hasNoKeys('kept')
  const before = await configs('kept')
  await bed.cluster.apply(made('kept', { subnetRouter: { advertiseRoutes: ['10.0.0.5/8'] } }))
  await expect
    .poll(() => shown.standing('kept'))
    .toMatch(
      'ConnectorInvalid: spec.subnetRouter.advertiseRoutes: "10.0.0.5/8" has bits behind its prefix; the network is 10.0.0.0/8. Correct these networks.',
    )
  expect(await configs('kept')).toEqual(before)
  expect(await shown.status('connector', 'kept')).toMatchObject({
    isExitNode: true,
    hostname: 'kept-connector.lab.ts.net',
  })
  // The Event is written after the status.
  await expect
    .poll(async () => (await bed.cluster.kubectl(['describe', 'connector/kept'])).stdout)
    .toMatch(/Warning\s+ConnectorInvalid\s.*has bits behind its prefix/)

  await bed.cluster.apply(made('elsewhere', { exitNode: true, tailnet: 'second' }))
  await expect.poll(() => shown.standing('elsewhere')).toContain('ConnectorInvalid: it asks for the Tailnet "second"')
  expect(await shown.children(everything, 'elsewhere')).toEqual([])
  expect(tailnet.calls).toEqual(['mint tag:k8s Connector kept'])
  await bed.cluster.kubectl(['delete', 'connector/kept', 'connector/elsewhere', '--timeout=300s'])
  expect(operator.bugs()).toEqual([])
})

test('after a restart with everything in place nothing is written', async () => {
  {
    await using operator = await operate(real, playedTailnet())
    await bed.cluster.apply(made('idle', { exitNode: true, replicas: 2 }), { ...made('idle', {}), kind: 'ProxyClass' })
    await expect.poll(() => shown.standing('idle')).toBe('ConnectorCreated: 2 of 2 devices are up')
    await hasNoKeys('idle')
    await expect.poll(() => shown.standing('idle', 'proxyclass', 'ProxyClassReady')).toContain('ProxyClassValid')
    expect(operator.bugs()).toEqual([])
  }
  real.proxy.seen.length = 0
  {
    await using operator = await operate(real, playedTailnet())
    await bed.cluster.apply(made('next', { exitNode: true, replicas: 0 }))
    await expect.poll(() => shown.standing('next')).toBe('ConnectorCreated: No devices are wanted.')
    const writes = real.proxy.seen.filter(({ method, url }) => method !== 'GET' && !/\/events|next/.test(url))
    expect(writes).toEqual([])
    expect(operator.bugs()).toEqual([])
  }
})

test('an object that is being deleted says so, and what it waits for', async () => {
  let later = 0
  const clock = { ...systemClock, date: () => new Date(Date.now() + later) }
  await using operator = await operate(real, playedTailnet(), { clock })
  await bed.cluster.apply(made('going', { exitNode: true }))
  await expect.poll(() => shown.standing('going')).toBe('ConnectorCreated: 1 of 1 device is up')
  const [pod] = await shown.children('pod', 'going')
  const hold = (finalizers: readonly string[]) =>
    bed.cluster.kubectl([
      'patch',
      `pod/${pod!.metadata.name}`,
      `--namespace=${settings.namespace}`,
      '--type=merge',
      `--patch=${JSON.stringify({ metadata: { finalizers } })}`,
    ])
  await hold(['example.com/held'])
  await bed.cluster.kubectl(['delete', 'connector/going', '--wait=false'])
  const message = `it is being deleted: waits for the end of Pod ${pod!.metadata.name}`
  await expect.poll(() => shown.standing('going')).toBe(`Deleting: ${message}`)
  later = 60_000
  await bed.cluster.kubectl(['annotate', 'connector/going', 'some=change'])
  const told = async () => (await bed.cluster.events()).map(({ what }) => what)
  await expect.poll(told).toContain(`Deleting: ${message}`)
  await hold([])
  await expect.poll(() => bed.cluster.get('connector', 'going')).toBe(undefined)
  expect(operator.bugs()).toEqual([])
})

test('routes that nobody has approved are named, until somebody has', async () => {
  let later = 0
  const clock = { ...systemClock, now: () => systemClock.now() + later }
  const tailnet = playedTailnet()
  await using operator = await operate(real, tailnet, { clock })
  const routesOf = (...enabled: readonly string[]) =>
    tailnet.devices.set('n1CNTRL', {
      routes: { advertised: ['0.0.0.0/0', '::/0', '10.1.0.0/16', '10.2.0.0/16'], enabled },
    })
  routesOf('10.1.0.0/16')
  const spec = { exitNode: true, subnetRouter: { advertiseRoutes: ['10.1.0.0/16', '10.2.0.0/16'] } }
  await bed.cluster.apply(made('offers', spec))
  const message =
    'offers-connector offers 10.2.0.0/16, to be an exit node, and the tailnet does not use it. Approve that in the admin console (Machines, the node, Edit route settings), or by autoApprovers of the tailnet’s policy'
  const approved = () => shown.standing('offers', 'connector', 'CulvertRoutesApproved')
  await expect.poll(approved).toBe(`RoutesNotApproved: ${message}`)
  expect(await shown.standing('offers')).toBe('ConnectorCreated: 1 of 1 device is up')
  const told = async () => (await bed.cluster.events()).map(({ what }) => what)
  await expect.poll(told).toContain(`RoutesNotApproved: ${message}`)
  routesOf('10.1.0.0/16', '10.2.0.0/16', '0.0.0.0/0', '::/0')
  later = 60_000
  await bed.cluster.kubectl(['annotate', 'connector/offers', 'some=change'])
  await expect.poll(approved).toBe('nothing')
  await bed.cluster.kubectl(['delete', 'connector/offers', '--timeout=300s'])
  expect(operator.bugs()).toEqual([])
})

test.each([
  ['deleted', ['delete', 'service/mid', '--wait=false']],
  ['asked for no longer', ['annotate', 'service/mid', 'tailscale.com/expose-']],
])('a proxy that is %s while it is made leaves nothing', async (_what, command) => {
  let isMade = false
  const tailnet = playedTailnet(async (call) => {
    if (!call.startsWith('mint') || isMade) return
    isMade = true
    await bed.cluster.kubectl([...command, '--namespace=default'])
  })
  await using operator = await operate(real, tailnet)
  await bed.cluster.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'mid', namespace: 'default', annotations: { 'tailscale.com/expose': 'true' } },
    spec: { selector: { app: 'a' }, ports: [{ port: 80 }] },
  })
  // Then it has a service account already, which goes at the end.
  await expect.poll(() => isMade).toBe(true)
  await expect.poll(() => shown.children(everything, 'mid')).toEqual([])
  const left = async () => (await bed.cluster.get<KubeObject>('service', 'mid'))?.metadata.finalizers
  await expect.poll(left).toBe(undefined)
  expect(tailnet.calls.filter((call) => call.startsWith('remove'))).toHaveLength(1)
  await bed.cluster.kubectl(['delete', 'service/mid', '--namespace=default', '--ignore-not-found'])
  expect(operator.bugs()).toEqual([])
})

test('a device that cannot be removed holds up the deletion for ten minutes, and is named then', async () => {
  const tailnet = playedTailnet(async (call) => {
    if (call.startsWith('remove device')) throw new ApiError('no such scope', { problem: 'forbidden', status: 403 })
  })
  let later = 0
  const clock = { ...systemClock, now: () => systemClock.now() + later }
  await using operator = await operate(real, tailnet, { clock })
  await bed.cluster.apply(made('stuck', { exitNode: true }))
  await expect.poll(() => shown.standing('stuck')).toBe('ConnectorCreated: 1 of 1 device is up')
  const [secret] = await shown.children('secret', 'stuck')
  const id = Buffer.from((secret!.data as Record<string, string>)['device_id'] ?? '', 'base64').toString()
  await bed.cluster.kubectl(['delete', 'connector/stuck', '--wait=false'])
  await expect.poll(() => shown.standing('stuck')).toContain('ConnectorCreationFailed: no such scope')
  expect(await namesOf('secret', 'stuck')).toEqual(['0'])
  later = 600_000
  await expect.poll(() => bed.cluster.get('connector', 'stuck')).toBe(undefined)
  expect(await shown.children(everything, 'stuck')).toEqual([])
  const said = await bed.cluster.list<{ reason: string; message: string }>('events', 'default')
  expect(said.filter(({ reason }) => reason === 'DeviceNotRemoved').map(({ message }) => message)).toEqual([
    `device ${id} is left in the tailnet, since it could not be removed: no such scope`,
  ])
  expect(operator.bugs()).toEqual([])
})

testRecorders(() => ({ bed, real, shown, end }))
