import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { startBed, type Bed, type Host } from '../bed.ts'
import { argvOf, startTime } from '../namespaces/procs.ts'
import { printLogsOnFailure } from '../vitest.ts'

let bed: Bed<'a' | 'b'>
let host: Host
beforeAll(async () => {
  bed = await startBed({ hosts: { a: { network: 'cluster' }, b: { network: 'cluster' } } })
  host = bed.host('a')
})
afterAll(() => bed.down())
beforeEach(() => printLogsOnFailure(bed))

const node = (program: string): string[] => [process.execPath, '--input-type=module', '--eval', program]

test('exec returns what was printed, and rejects with it on failure', async () => {
  expect(await host.exec(['cat'], { input: 'hello' })).toEqual({ stdout: 'hello', stderr: '', exitCode: 0 })
  await expect(host.exec(['ls', '/nowhere'])).rejects.toThrow(/a: ls \/nowhere: exit 2\n.*No such file/)
  expect((await host.exec(['ls', '/nowhere'], { check: false })).exitCode).toBe(2)
  expect((await host.exec(['pwd'], { cwd: '/var' })).stdout).toBe('/var')
})

test('exec kills a command at its time limit, inside the host, too', async () => {
  await expect(host.exec(['sleep', '4711'], { timeout: 200 })).rejects.toThrow('took longer than 200 ms')
  await expect.poll(async () => (await host.exec(['ps', '-eo', 'args'])).stdout).not.toContain('sleep 4711')
})

test('the environment is the given one, and not that of the test', async () => {
  const { stdout } = await host.exec(['env'], { env: { COLOUR: 'blue', HOME: undefined } })
  const names = stdout.split('\n').map((line) => line.split('=')[0])
  expect(new Set(names)).toEqual(new Set(['COLOUR', 'LANG', 'NODE_COMPILE_CACHE', 'PATH', 'TS_NO_LOGS_NO_SUPPORT']))
})

test('a spawned process has its real number, and its lines can be waited for', async () => {
  const child = await host.spawn(
    node(`console.log('one'); setTimeout(() => console.log('two 22'), 100); setInterval(() => {}, 1000)`),
  )
  expect(argvOf(child.pid)[0]).toBe(process.execPath)
  expect((await child.line(/^one$/))[0]).toBe('one')
  expect((await child.line(/^two (\d+)$/))[1]).toBe('22')
  await expect(child.line(/three/, 50)).rejects.toThrow(/printed no \/three\/: not within 50 ms\n {2}one/)
  expect(await child.stop()).toEqual({ code: undefined, signal: 'SIGTERM' })
  expect(startTime(child.pid)).toBeUndefined()
  await expect(child.line(/three/)).rejects.toThrow(/it ended with SIGTERM/)
  expect(child.log).toEqual(['one', 'two 22'])
})

test('signals reach the process itself, and its exit is returned', async () => {
  const program = `process.on('SIGUSR2', () => process.exit(7)); console.log('ready'); setInterval(() => {}, 1000)`
  const child = await host.spawn(node(program))
  await child.line(/ready/)
  child.kill('SIGSTOP')
  child.kill('SIGCONT')
  child.kill('SIGUSR2')
  expect(await child.exited).toEqual({ code: 7, signal: undefined })
  child.kill('SIGKILL')
  const missing = await host.spawn(['no-such-program'])
  expect((await missing.exited).code).toBe(127)
})

test("a host's files are its own", async () => {
  await host.exec(['tee', '/etc/lab-file', '/tmp/lab-file', '/run/lab-file', '/var/lib/lab-file'], { input: 'mine' })
  for (const path of ['/etc/lab-file', '/tmp/lab-file', '/run/lab-file', '/var/lib/lab-file']) {
    expect(existsSync(path)).toBe(false)
    expect(existsSync(bed.host('b').path(path))).toBe(false)
    expect(await readFile(host.path(path), 'utf8')).toBe('mine')
  }
  await writeFile(host.path('/var/run/from-outside'), 'x')
  expect((await host.exec(['cat', '/run/from-outside'])).stdout).toBe('x')
  expect((await host.exec(['cat', '/etc/resolv.conf'])).stdout).toBe('nameserver 10.99.0.1')
})

test('hosts do not see the processes of others', async () => {
  const child = await host.spawn(['sleep', '4712'])
  expect((await host.exec(['ps', '-eo', 'args'])).stdout).toContain('sleep 4712')
  expect((await bed.host('b').exec(['ps', '-eo', 'args'])).stdout).not.toContain('sleep 4712')
  await child.stop()
})
