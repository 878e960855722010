import { afterEach, expect, test } from 'vitest'
import { nodeAddresses } from '../e2e/cluster.ts'
import { rolledOut } from '../e2e/rollout.ts'
import { program, visitFrom } from '../agent/serving.ts'
import { ask, askAll } from '../lab/bed.ts'
import { headlessService } from './headless.ts'
import { examplesIn, type ExamplesBed } from './in-cluster.ts'

const name = 'l3-ingress-unprivileged'
const namespace = 'tailscale-restricted'
const pod = `${name}-0`
const ways = [
  { protocol: 'tcp', port: 5432 },
  { protocol: 'udp', port: 53 },
] as const
const ports = { 'tcp/5432,udp/53': 'tcp/5432:7000,udp/53:7000' }

/** Tests of the example with the name of this file, in a bed that is up when they run. */
export function unprivileged(started: () => ExamplesBed): void {
  const { apply, inside, quiet, clear } = examplesIn(() => started().bed)
  afterEach(() => clear(namespace))

  /** Applies the example with these texts; returns the node's addresses once its Pod is ready. */
  async function forward(texts: Readonly<Record<string, string>>): Promise<{ v4: string; v6: string }> {
    await apply(`${name}.yaml`, { texts })
    const { bed } = started()
    await rolledOut(bed.cluster, name, 'statefulset', namespace)
    return await nodeAddresses(bed, name)
  }

  test.each(['v4', 'v6'] as const)('to one backend, by its address of %s', async (family) => {
    const { bed, backend } = started()
    const own = await forward({ ...ports, '10.96.0.100': backend[family] })
    for (const to of [own.v4, own.v6]) {
      for (const way of ways) {
        expect(await ask(bed.host('client'), { to, ...way, data: 'x' })).toMatchObject({ host: 'backend', data: 'x' })
      }
      await expect(ask(bed.host('client'), { to, port: 7000, protocol: 'tcp' })).rejects.toThrow('ECONNREFUSED')
    }
    // Of the agent, tailscaled and everything else in the container.
    const status = await inside(namespace, pod, 'sh', '-c', 'cat /proc/[0-9]*/status')
    expect(new Set(status.match(/^(?:Uid|CapBnd|CapEff|NoNewPrivs|Seccomp):.*/gm))).toEqual(
      new Set([
        'Uid:\t1000\t1000\t1000\t1000',
        'CapBnd:\t0000000000000000',
        'CapEff:\t0000000000000000',
        'NoNewPrivs:\t1',
        'Seccomp:\t2',
      ]),
    )
    await expect(inside(namespace, pod, 'touch', '/etc/file')).rejects.toThrow('Read-only file system')
    await expect(inside(namespace, pod, 'ls', '/dev/net/tun')).rejects.toThrow('No such file')
    expect(await inside(namespace, pod, 'culvert', 'status')).toMatch(/: ready$/m)
    expect(await inside(namespace, pod, 'tailscale', 'status')).toContain(name)
    await quiet(namespace, pod)
  })

  test('to each Pod of a headless Service, by its name', async () => {
    const { bed } = started()
    await headlessService(bed.cluster, 'db', ['db-0', 'db-1'])
    const own = await forward({ ...ports, '10.96.0.100': 'db.default', TS_DEST_IP: 'TS_EXPERIMENTAL_DEST_DNS_NAME' })
    for (const to of [own.v4, own.v6]) {
      for (const way of ways) {
        const questions = Array.from({ length: 40 }, () => ({ to, ...way, patience: 5000 }))
        const hosts = async () => {
          const answers = await askAll(bed.host('client'), questions)
          return [...new Set(answers.map((one) => (one instanceof Error ? one.message : one.host)))].toSorted()
        }
        // The name may lead to the second Pod a moment after that is ready.
        await expect.poll(hosts).toEqual(['db-0', 'db-1'])
      }
    }
    await quiet(namespace, pod)
  })

  test('with the client’s address in the PROXY protocol', async () => {
    const { bed } = started()
    const place = await bed.cluster.pod('backend')
    const backendProgram = await place.spawn([process.execPath, program('client-address.ts'), '9000'])
    await backendProgram.line(/listening/)
    const own = await forward({
      '10.96.0.100': place.address.v4!,
      'tcp/5432,udp/53': 'tcp/5432:9000',
      '# - name: CULVERT_PROXY_PROTOCOL\n            #   value': '- name: CULVERT_PROXY_PROTOCOL\n              value',
    })
    const client = Object.values(await nodeAddresses(bed, 'client'))
    for (const to of [own.v4, own.v6]) {
      const said = async () => {
        const page = await visitFrom(bed.host('client'), { name, to, port: 5432, data: 'hello\n' })
        return typeof page === 'string' ? page : (JSON.parse(page.body) as object)
      }
      await expect.poll(said).toMatchObject({ version: 2, data: 'hello', client: expect.toBeOneOf(client) })
    }
    await quiet(namespace, pod)
  })
}
