import { writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { trusted } from '../lab/acme/paths.ts'
import { poll } from '../lab/poll.ts'
import { printLogsOnFailure } from '../lab/vitest.ts'
import { bundle as agentBundle } from '../agent/proxy.ts'
import { clientNode, testHelm, testProgram } from './apiserver-clients.ts'
import { testRefusals } from './apiserver-refusals.ts'
import { attach, testSessions } from './apiserver-sessions.ts'
import { testVerbs } from './apiserver-verbs.ts'
import { BedRecorder } from './bed-recorder.ts'
import { ApiServerBed, devs, server, sshPolicyFile } from './apiserver-bed.ts'
import { watchInBrowser } from './watching.ts'

let its: ApiServerBed
beforeAll(async () => {
  its = await ApiServerBed.start()
})
afterAll(() => its[Symbol.asyncDispose]())
beforeEach(() => printLogsOnFailure(its.bed))

const whoami = async (name: 'alice' | 'robot', mode?: 'noauth', argv: readonly string[] = []) => {
  const text = await its.kubectl(name, ['auth', 'whoami', '--output=json', ...argv], { ...(mode && { mode }) })
  const { username, groups } = (JSON.parse(text) as { status: { userInfo: { username: string; groups: string[] } } })
    .status.userInfo
  return { username, groups: groups.toSorted() }
}

test('with impersonation, a person is its user in the groups of the policy, and a device with tags is itself', async () => {
  const { user } = await its.bed.control.node('alice')
  expect(await whoami('alice')).toEqual({ username: user, groups: ['devs', 'system:authenticated'] })
  expect(await whoami('robot')).toEqual({ username: 'robot.lab.ts.net', groups: ['system:authenticated', 'tag:ci'] })
})

test('culvert kubeconfig makes kubectl use the proxy, and kubectl reads what it writes', async () => {
  const alice = its.bed.host('alice')
  // Without the bed's authority, which kubectl finds by itself as it would a public one.
  const env = { KUBECONFIG: '/tmp/own', HOME: '/tmp', SSL_CERT_FILE: trusted }
  const run = async (argv: readonly string[]) => (await alice.exec(argv, { env })).stdout
  const config = ['kubectl', 'config']
  await run([...config, 'set-cluster', 'home', '--server=https://192.0.2.1'])
  await run([...config, 'set-credentials', 'me', '--token=secret'])
  await run([...config, 'set-context', 'home', '--cluster=home', '--user=me'])
  await run([...config, 'use-context', 'home'])
  const before = await run([...config, 'view', '--raw', '--minify', '--output=json'])
  const command = [process.execPath, agentBundle, 'kubeconfig', 'proxy', '--socket=/run/tailscale/tailscaled.sock']
  expect(await run(command)).toContain(`the context proxy is for https://${server}:`)
  expect(await run([...config, 'view', '--raw', '--minify', '--output=json'])).toBe(before)
  await run([...config, 'use-context', 'proxy'])
  const { user } = await its.bed.control.node('alice')
  expect(await run(['kubectl', 'auth', 'whoami', '--output=jsonpath={.status.userInfo.username}'])).toBe(user)
  // After kubectl has written the file in its own way, too.
  expect(await run(command)).toContain('nothing to change')
})

test('each may do what its groups may, and what they ask for in headers changes nothing', async () => {
  const masters = ['--as=system:admin', '--as-group=system:masters', '--token=stolen']
  expect((await whoami('robot', undefined, masters)).username).toBe('robot.lab.ts.net')
  expect(await its.kubectl('robot', ['get', 'pods', '--output=name'])).toBe('pod/app')
  await expect(its.kubectl('robot', ['delete', 'pod', 'app', ...masters])).rejects.toThrow(
    /User "robot\.lab\.ts\.net" cannot delete resource "pods"/,
  )
})

test('without impersonation, everybody is who their own credentials say', async () => {
  const token = await its.bed.cluster.token('default', 'robot')
  const { username } = await whoami('alice', 'noauth', [`--token=${token}`])
  expect(username).toBe('system:serviceaccount:default:robot')
  await expect(its.kubectl('alice', ['get', 'pods'], { mode: 'noauth' })).rejects.toThrow(/must be logged in/)
})

testSessions(() => its, 'auth')

describe('where sessions must be recorded', () => {
  const exec = () => its.kubectl('alice', ['exec', '-i', 'app', '--', 'cat'], { input: 'seen' })
  const recordingWith = (text: string) =>
    poll('a recording', async () => (await recorder.recordings()).find((one) => one.includes(text)), 100)
  const whole = (rule: object) => ({ recorderAddrs: recorder.addresses, enforceRecorder: true, ...rule })
  const grant = (rule: object, ...more: readonly { readonly app: object }[]) =>
    its.grant([...devs, { app: { 'tailscale.com/cap/kubernetes': [whole(rule)] } }, ...more])
  let recorder: BedRecorder
  beforeAll(async () => {
    recorder = await BedRecorder.start(its)
    await grant({})
    const isRecorded = async (): Promise<true | undefined> => {
      // It may be refused while the policy arrives.
      await exec().catch(() => {})
      return (await recorder.recordings()).length > 0 || undefined
    }
    await poll('the first recording', isRecorded, 100)
  })

  test.each([['WebSocket', 'true'] as const, ['SPDY', 'false'] as const])(
    'a terminal over %s is recorded as it looks, with its sizes',
    async (name, websockets) => {
      const alice = its.bed.host('alice')
      const terminal = `/tmp/terminal-${name}`
      // The terminal gets another size in between.
      const remote = `echo "${name} first €"; until [ "$(stty size)" = "25 90" ]; do sleep 0.1; done; echo "the end"`
      const local = `stty cols 100 rows 30; tty > ${terminal}; exec kubectl exec -it app -- sh -c '${remote}'`
      const shown = await alice.spawn(['script', '--quiet', '--return', '--command', local, '/dev/null'], {
        name,
        env: { ...its.env(), SHELL: '/bin/sh', TERM: 'xterm', KUBECTL_REMOTE_COMMAND_WEBSOCKETS: websockets },
      })
      await shown.line(new RegExp(`${name} first €`))
      await alice.exec(['sh', '-c', `stty cols 90 rows 25 < "$(cat ${terminal})"`])
      await shown.line(/the end/)
      expect(await shown.exited).toMatchObject({ code: 0 })
      const cast = await recordingWith(`"o","${name} first €`)
      const [header, ...events] = cast
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown) as [
        { width: number; height: number },
        ...[number, string, string][],
      ]
      expect(header).toMatchObject({
        version: 2,
        srcNode: 'alice.lab.ts.net',
        kubernetes: { PodName: 'app', Namespace: 'default', Container: 'main', SessionType: 'exec' },
      })
      const textOf = (kind: string): string[] => events.flatMap(([, one, text]) => (one === kind ? [text] : []))
      expect(textOf('o').join('')).toContain('the end\r\n')
      // Output may come before the first size, of which the header then does not know.
      const sizes = [`${header.width}x${header.height}`, ...textOf('r')]
      expect(sizes).toContain('100x30')
      expect(sizes.at(-1)).toBe('90x25')
    },
  )

  test('what somebody is attached to is recorded', async () => {
    await attach(its, 'attached-once', its.env())
    const cast = await recordingWith('"o","got attached-once')
    expect(JSON.parse(cast.slice(0, cast.indexOf('\n')))).toMatchObject({
      kubernetes: { PodName: 'repeater', Namespace: 'kube-public', Container: 'main', SessionType: 'attach' },
    })
  })

  test('a session is played in a browser by whoever the policy lets see it', () => watchInBrowser(its, grant))

  test('tailscaled’s own SSH server records at the same recorder', async () => {
    const [alice, robot] = [its.bed.host('alice'), its.bed.host('robot')]
    const { addresses } = await its.bed.control.node('alice')
    const onRecordingFailure = { RejectSessionWithMessage: 'no recorder', TerminateSessionWithMessage: 'no recorder' }
    const action = { accept: true, recorders: recorder.addresses, onRecordingFailure }
    const rules = [{ principals: [{ any: true }], sshUsers: { root: 'root' }, action }]
    await writeFile(alice.path(sshPolicyFile), JSON.stringify({ rules }))
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'BatchMode=yes']
    const argv = ['ssh', ...options.flatMap((one) => ['-o', one]), `root@${addresses[0]}`, 'echo "by ssh"']
    expect((await robot.exec(argv)).stdout).toContain('by ssh')
    const cast = await recordingWith('"o","by ssh')
    expect(JSON.parse(cast.slice(0, cast.indexOf('\n')))).toMatchObject({
      version: 2,
      sshUser: 'root',
      localUser: 'root',
    })
  })

  test('with events, a recorder has what kubectl asks for, and the API does it', async () => {
    await grant({ enableEvents: true })
    await expect.poll(async () => (await exec()) && (await recorder.events()).length).toBeGreaterThan(0)
    await its.kubectl('alice', ['create', 'configmap', 'told', '--from-literal=a=b'])
    expect(await its.kubectl('alice', ['get', 'configmap', 'told', '--output=jsonpath={.data.a}'])).toBe('b')
    const created = (await recorder.events()).find(
      ({ kubernetes }) => kubernetes['Verb'] === 'create' && kubernetes['Resource'] === 'configmaps',
    )
    expect(Buffer.from(String(created?.request['body']), 'base64').toString()).toContain('told')
    expect(created?.source).toMatchObject({
      node: 'alice.lab.ts.net',
      nodeUser: (await its.bed.control.node('alice')).user,
    })
  })

  test('the recorder keeps a session below the node that has uploaded it', async () => {
    const uploaded = (await recorder.recordings('proxy')).join()
    expect(uploaded).toContain('"o","seen')
    expect(uploaded).toContain('"Namespace":"default","Container":"main","SessionType":"exec"')
    await recorder.process.line(new RegExp(`"node":"${server}","state":"whole"`))
  })

  test('none begins without a recorder', async () => {
    await recorder.stop()
    await expect(exec()).rejects.toThrow(/the policy wants/)
    await expect
      .poll(() => its.events())
      .toContainEqual(expect.stringMatching(/^NoRecorder: .* of alice\.lab\.ts\.net /))
    await its.grant(devs)
    await expect.poll(exec).toContain('seen')
  })
})

describe('clients other than kubectl', () => {
  testProgram(
    () => its,
    '@kubernetes/client-node',
    'auth',
    async () => clientNode,
  )
  testHelm(() => its, 'auth')
})

testVerbs(() => its, 'auth')

testRefusals(() => its)

test('a watch ends when its caller loses its group, and begins again when it has it', async () => {
  const watch = async (name: string) => {
    const argv = ['kubectl', 'get', 'configmaps', '--watch', '--output=name']
    return its.bed.host('alice').spawn(argv, { name, env: its.env() })
  }
  const create = (name: string) => its.bed.cluster.kubectl(['create', 'configmap', name])
  const first = await watch('first')
  await first.line(/kube-root-ca/)
  await create('seen')
  await first.line(/configmap\/seen/)
  await its.grant([])
  await first.exited
  await expect(its.kubectl('alice', ['get', 'configmaps'])).rejects.toThrow(/cannot list resource "configmaps"/)
  await its.grant(devs)
  await expect.poll(async () => (await whoami('alice')).groups).toContain('devs')
  const second = await watch('second')
  await second.line(/configmap\/seen/)
  await second.stop()
})

test('tailscaled has a certificate for the name, and HTTP/2 is spoken', async () => {
  const argv = ['openssl', 's_client', '-connect', `${server}:443`, '-servername', server, '-alpn', 'h2,http/1.1']
  const { stdout } = await its.bed.host('alice').exec(argv, { input: '' })
  expect(stdout).toContain('ALPN protocol: h2')
})
