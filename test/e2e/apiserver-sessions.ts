import { expect, test } from 'vitest'
import { ask } from '../lab/bed.ts'
import { toolsImage } from '../lab/cluster/images.ts'
import type { ApiServerBed, Mode } from './apiserver-bed.ts'
import { clientEnv } from './apiserver-clients.ts'

// Elsewhere, so that there is one Pod in the default namespace.
const namespace = 'kube-public'

/** A Pod whose container says what it gets, to whomever is attached. */
const repeater = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'repeater', namespace },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'main',
        image: toolsImage,
        stdin: true,
        command: ['sh', '-c', 'while read -r line; do echo "got $line"; done'],
      },
    ],
  },
}

/** The ways in which kubectl holds sessions, with its variables for them. */
export const wires = (['WebSocket', 'SPDY'] as const).map((name) => {
  const websockets = String(name === 'WebSocket')
  const env = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: websockets, KUBECTL_PORT_FORWARD_WEBSOCKETS: websockets }
  return [name, env] as const
})

/** Attaches alice's kubectl to the Pod, and returns once it has shown the answer to this line. */
export async function attach(its: ApiServerBed, line: string, env: Readonly<Record<string, string>>): Promise<void> {
  const { cluster } = its.bed
  await cluster.apply(repeater)
  await cluster.wait('pod/repeater', 'Ready', { namespace })
  // A pipe that never ends: kubectl is attached until it is stopped.
  const open = `mkfifo /tmp/${line}; exec 3<>/tmp/${line}; echo ${line} >&3`
  const command = `${open}; exec kubectl attach --stdin repeater --namespace=${namespace} <&3`
  const shown = await its.bed.host('alice').spawn(['sh', '-c', command], { name: `attach-${line}`, env })
  await shown.line(new RegExp(`^got ${line}$`))
  await shown.stop()
}

/** Tests of kubectl's sessions in a mode of the proxy. */
export function testSessions(its: () => ApiServerBed, mode: Mode): void {
  test.each(wires)(
    `sessions over %s, mode ${mode}: exec with input and exit code, attach, files, ports`,
    async (name, more) => {
      const env = { ...(await clientEnv(its(), mode)), ...more }
      const kubectl = (argv: readonly string[], input?: string) =>
        its().kubectl('alice', argv, { env, ...(input !== undefined && { input }) })
      const alice = its().bed.host('alice')
      const text = 'x'.repeat(300_000)
      expect(await kubectl(['exec', '-i', 'app', '--', 'cat'], text)).toBe(text)
      await expect(kubectl(['exec', 'app', '--', 'false'])).rejects.toThrow(/exit code 1/)
      await attach(its(), `${mode}-${name}`, env)
      await alice.exec(['sh', '-c', `echo ${name} > /tmp/file`])
      await kubectl(['cp', '/tmp/file', `app:/${name}`])
      await kubectl(['cp', `app:/${name}`, '/tmp/back'])
      expect((await alice.exec(['cat', '/tmp/back'])).stdout).toBe(name)
      const argv = ['kubectl', 'port-forward', 'pod/app', '9000:7000']
      const forward = await alice.spawn(argv, { name: `forward-${name}`, env })
      await forward.line(/Forwarding from 127\.0\.0\.1/)
      expect((await ask(alice, { to: '127.0.0.1', port: 9000, protocol: 'tcp' })).host).toBe('app')
      await forward.stop()
    },
  )
}
