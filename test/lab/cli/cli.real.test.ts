import { execa } from 'execa'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { signal } from '../namespaces/procs.ts'
import { pathsOf, readRecord } from '../namespaces/record.ts'
import { tearDown } from '../namespaces/teardown.ts'

const name = `cli-${process.pid}`
const lab = (...args: string[]) =>
  execa(process.execPath, [join(import.meta.dirname, '../main.ts'), ...args], { reject: false, all: true })

afterAll(() => tearDown(name))

test('up, status, exec and down, each with its exit code', async () => {
  const up = await lab('up', '--name', name, '--hosts', 'client:wan:tailscaled,pod:cluster')
  expect(up).toMatchObject({ exitCode: 0 })
  expect(up.stdout).toMatch(/client +wan +10\.99\.0\.10 fd99::10 +runs/)
  expect(up.stdout).toMatch(/client +100\.64\.0\.1 fd7a:\S+ +online/)
  expect(await lab('up', '--name', name)).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('is up already'),
  })

  expect(await lab('exec', '--name', name, 'client', '--', 'tailscale', 'ip', '-4')).toMatchObject({
    exitCode: 0,
    stdout: '100.64.0.1',
  })
  expect(await lab('exec', '--name', name, 'pod', '--', 'sh', '-c', 'exit 7')).toMatchObject({ exitCode: 7 })
  expect(await lab('exec', '--name', name, 'pod', '--', 'sh', '-c', 'kill -9 $$')).toMatchObject({ exitCode: 137 })
  expect(await lab('exec', '--name', name, 'nobody', '--', 'true')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('client, pod'),
  })

  const { stdout: exports } = await lab('env', '--name', name)
  const shell = await execa('sh', [
    '-c',
    `${exports}\ncurl -V >/dev/null; command -v tailscaled; echo "$LAB_CONTROL_SOCKET"`,
  ])
  expect(shell.stdout).toContain(pathsOf(name).controlSocket)
  expect(shell.stdout).toMatch(/parts\/tailscaled-\w+\/tailscaled/)

  const down = await lab('down', '--name', name)
  expect(down).toMatchObject({ exitCode: 0, stdout: `bed ${name} is down` })
  expect(existsSync(pathsOf(name).top)).toBe(false)
  expect(await lab('down', '--name', name)).toMatchObject({ exitCode: 0, stdout: `there is no bed ${name}` })
})

test('a signal is passed to the command that runs in the host', async () => {
  await lab('up', '--name', name, '--hosts', 'pod:cluster')
  const running = lab(
    'exec',
    '--name',
    name,
    'pod',
    '--',
    'sh',
    '-c',
    'trap "echo got it; exit 3" TERM; echo ready; while :; do sleep 0.05; done',
  )
  await new Promise((resolve) => running.stdout.once('data', resolve))
  running.kill('SIGTERM')
  expect(await running).toMatchObject({ exitCode: 3, stdout: 'ready\ngot it' })
  await lab('down', '--name', name)
})

test('status shows the last log lines of what has ended', async () => {
  await lab('up', '--name', name, '--hosts', 'client:wan:tailscaled')
  expect(await lab('status', '--name', name)).toMatchObject({ exitCode: 0 })
  const record = (await readRecord(name))!
  signal(record.hosts[0]!.tailscaled!.pid, 'SIGKILL')
  await expect
    .poll(() => lab('status', '--name', name))
    .toMatchObject({
      exitCode: 1,
      stdout: expect.stringMatching(/client\.tailscaled has ended; its last lines:\n--- client\.tailscaled\.log\n\S/),
    })
  signal(record.holder!.pid, 'SIGKILL')
  await expect
    .poll(() => lab('status', '--name', name))
    .toMatchObject({ exitCode: 1, stdout: expect.stringContaining(`down --name ${name}`) })
  await lab('down', '--name', name)
})

test('kubectl and events of a cluster', async () => {
  expect(await lab('up', '--name', name, '--hosts', 'pod:cluster', '--cluster', '--nodes', '0')).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^Kubernetes at https:\/\/10\.98\.0\.1:6443 .*no nodes/m),
  })
  const kubectl = (...args: string[]) => lab('kubectl', '--name', name, '--', ...args)
  expect(await kubectl('get', 'namespace', 'default', '--output=name')).toMatchObject({ stdout: 'namespace/default' })
  expect(await kubectl('get', 'node', 'absent')).toMatchObject({ exitCode: 1 })
  const event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'it', namespace: 'default' },
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'echo' },
    reason: 'Happened',
    message: 'just now',
  }
  const file = join(pathsOf(name).top, 'event.json')
  await writeFile(file, JSON.stringify(event))
  await kubectl('create', '--filename', file)
  expect((await lab('events', '--name', name)).stdout).toMatch(/ cluster +default\/pod\/echo +Happened: just now$/m)
  expect((await lab('env', '--name', name)).stdout).toContain("export KUBECONFIG='")

  signal((await readRecord(name))!.others!['kube-apiserver']!.pid, 'SIGKILL')
  await expect
    .poll(() => lab('status', '--name', name))
    .toMatchObject({ exitCode: 1, stdout: expect.stringContaining('kube-apiserver has ended') })
  await lab('down', '--name', name)
})

test('wrong usage exits with 2 and says what is wrong', async () => {
  expect(await lab('fly')).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('there is no command "fly"') })
})
