import { readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { parseAddress, withPort } from '../../lib/address.ts'
import { localApi } from '../../localapi/client.ts'
import { startBed } from '../lab/bed.ts'

const bundle = join(dirname(import.meta.dirname), '..', 'dist', 'recorder.js')

/** Of the server; tailscaled reads it at each connection. */
const policyFile = '/tmp/ssh-policy.json'

const hosts = {
  client: { network: 'wan', tailscaled: true },
  server: {
    network: 'wan',
    tailscaled: { env: { TS_DEBUG_SSH_POLICY_FILE: policyFile }, up: ['--ssh'] },
  },
} as const

test('tailscaled records sessions of SSH, and with enforcement none begins without the recorder', async () => {
  await using bed = await startBed({ hosts })
  const [client, server] = [bed.host('client'), bed.host('server')]
  const api = localApi(client.path('/run/tailscale/tailscaled.sock'))
  const TCP = { '80': { TCPForward: '127.0.0.2:8080', ProxyProtocol: 2 } }
  await api.replace('serve-config', { TCP }, '', new AbortController().signal)
  const argv = [process.execPath, bundle, '--dir=/tmp/recordings', '--port=0']
  const recorder = await client.spawn([...argv, '--socket=/run/tailscale/tailscaled.sock'], { name: 'recorder' })
  await recorder.line(/listens on/)

  const { addresses } = await bed.control.node('client')
  const onRecordingFailure = { RejectSessionWithMessage: 'no recorder', TerminateSessionWithMessage: 'no recorder' }
  const action = {
    accept: true,
    recorders: addresses.map((text) => withPort(parseAddress(text)!, 80)),
    onRecordingFailure,
  }
  const rules = [{ principals: [{ any: true }], sshUsers: { root: 'root' }, action }]
  await writeFile(server.path(policyFile), JSON.stringify({ rules }))

  const { addresses: targets, stableId } = await bed.control.node('server')
  const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'BatchMode=yes']
  const ssh = async (command: string) =>
    client.exec(['ssh', ...options.flatMap((one) => ['-o', one]), `root@${targets[0]}`, command])
  expect((await ssh('echo seen; exit 0')).stdout).toContain('seen')
  const folder = client.path(`/tmp/recordings/${stableId}`)
  const finished = async () => (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.cast'))
  await expect.poll(finished).toHaveLength(1)
  const lines = (await readFile(join(folder, (await finished())[0]!), 'utf8')).split('\n')
  expect(JSON.parse(lines[0]!)).toMatchObject({
    version: 2,
    sshUser: 'root',
    localUser: 'root',
    command: 'echo seen; exit 0',
  })
  expect(lines.slice(1).join()).toContain('seen')
  await recorder.line(
    /"stage":"ended".*"node":"server\..*"state":"whole".*"kind":"ssh","from":"client\..*"where":"root"/,
  )

  await recorder.stop()
  await expect(ssh('echo unseen')).rejects.toThrow(/no recorder/)
})
