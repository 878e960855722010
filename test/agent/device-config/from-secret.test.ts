import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { configFromSecret } from '../../../agent/device-config/from-secret.ts'
import { ApiServer, json, secretJson, statusJson } from '../../kube/api-server.ts'

let server: ApiServer
let folder: string
let stop: AbortController
let lines: string[]
beforeEach(async () => {
  server = await ApiServer.start()
  folder = mkdtempSync(join(tmpdir(), 'culvert-config-'))
  stop = new AbortController()
  lines = []
})
afterEach(async () => {
  stop.abort()
  await server[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

let version = 0
/** What the API has from now on; undefined: no such Secret. It may not be watched. */
function have(values: Readonly<Record<string, string>> | undefined): void {
  const secret = values && secretJson('a', String((version += 1)), values)
  server.answer = ({ url = '' }, response) => {
    if (url.includes('fieldSelector=')) return json(response, statusJson(403, 'Forbidden', 'no'), 403)
    if (secret === undefined) return json(response, statusJson(404, 'NotFound', 'not found'), 404)
    return json(response, secret)
  }
}

const keep = (directory = join(folder, 'pod-0')): Promise<void> =>
  configFromSecret(
    {
      cluster: server.cluster,
      name: 'a',
      directory,
      log: ({ text }) => lines.push(text),
      waits: { poll: 20, retry: 10 },
    },
    stop.signal,
  )
const files = () =>
  Object.fromEntries(
    readdirSync(join(folder, 'pod-0')).map((name) => [name, readFileSync(join(folder, 'pod-0', name), 'utf8')]),
  )

test('the config files of the Secret are there at once, for nobody else, and follow it', async () => {
  have({ 'cap-95.hujson': 'old', 'cap-107.hujson': 'one', 'cap-1.hujson.bak': 'x', _machinekey: 'secret' })
  await keep()
  expect(files()).toEqual({ 'cap-95.hujson': 'old', 'cap-107.hujson': 'one' })
  expect(statSync(join(folder, 'pod-0/cap-107.hujson')).mode & 0o777).toBe(0o600)
  writeFileSync(join(folder, 'pod-0/other'), 'y')
  have({ 'cap-107.hujson': 'two', 'cap-143.hujson': 'new' })
  await expect.poll(files).toEqual({ 'cap-107.hujson': 'two', 'cap-143.hujson': 'new', other: 'y' })
  expect(lines).toEqual([])
})

test('a Secret that is not there, or has no config, is waited for, and later the last files stay', async () => {
  have(undefined)
  const kept = keep()
  await expect.poll(() => lines.at(-1)).toBe('warning: the config of Secret "a": the Secret does not exist')
  have({ other: 'x' })
  await expect.poll(() => lines.at(-1)).toMatch(/^warning: .*: the Secret has no key such as cap-107\.hujson$/)
  have({ 'cap-107.hujson': 'one' })
  await kept
  await expect.poll(() => lines.at(-1)).toBe('the config of Secret "a" is read')
  have(undefined)
  await expect.poll(() => lines.at(-1)).toContain('does not exist')
  expect(files()).toEqual({ 'cap-107.hujson': 'one' })
  have({ 'cap-107.hujson': 'two' })
  await expect.poll(files).toEqual({ 'cap-107.hujson': 'two' })
})

test('an API that fails is asked again, and said to', async () => {
  server.answer = (_seen, response) => json(response, statusJson(403, 'Forbidden', 'you may not'), 403)
  const kept = keep()
  await expect.poll(() => lines.at(-1)).toMatch(/^warning: the config of Secret "a": .*you may not/)
  have({ 'cap-107.hujson': 'one' })
  await kept
  expect(files()).toEqual({ 'cap-107.hujson': 'one' })
})

test('files that cannot be written at first end the start', async () => {
  have({ 'cap-107.hujson': 'one' })
  writeFileSync(join(folder, 'file'), '')
  await expect(keep(join(folder, 'file'))).rejects.toThrow(/file cannot be written/)
})

test('a stop ends the waiting', async () => {
  have(undefined)
  const kept = keep()
  stop.abort()
  await kept
})
