import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { runAgent } from '../../agent/run.ts'
import { VirtualClock } from '../lib/virtual-clock.ts'

let root: string
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'culvert-'))
  writeFileSync(join(root, 'termination-log'), '')
})
afterEach(() => rmSync(root, { recursive: true }))

type Outside = { readonly signal: (name: NodeJS.Signals) => void; readonly fault: (error: unknown) => void }

/** Runs the agent with settings that end it right after reading them, while `act` happens. */
async function run(
  env: Record<string, string>,
  act: (outside: Outside) => void = () => {},
  args: readonly string[] = [],
) {
  const lines: string[] = []
  const listeners: Partial<Outside> = {}
  const ended = runAgent({
    env: { CULVERT_TERMINATION_LOG: join(root, 'termination-log'), ...env },
    args,
    write: (line) => lines.push(line),
    onSignal: (signal) => Object.assign(listeners, { signal }),
    onUncaught: (fault) => Object.assign(listeners, { fault }),
    clock: new VirtualClock(),
    version: '0.0.0',
    home: root,
  })
  act(listeners as Outside)
  const code = await ended
  const log = lines.map((line) => line.replace(/^boot: \S+ \S+ /, '').trimEnd())
  return { code, log, reason: readFileSync(join(root, 'termination-log'), 'utf8') }
}

it('ends with 1 for settings that can never work, and leaves the reason where kubelet shows it', async () => {
  const { code, log, reason } = await run({ TS_BOOT_TIMEOUT: '5' })
  expect(code).toBe(1)
  expect(reason).toMatch(/^TS_BOOT_TIMEOUT="5" is not valid/)
  expect(log).toEqual(['culvert agent 0.0.0', `error: ${reason}`])
})

it('logs warnings about the environment before an error ends it', async () => {
  const { log } = await run({ TS_USERSPACE: '"false"', TS_DEST_IP: '10.0.0.1', AUTH_KEY: 'tskey-hidden' })
  expect(log).toEqual([
    'culvert agent 0.0.0',
    expect.stringMatching(/^warning: TS_USERSPACE has quotes/),
    expect.stringMatching(/^warning: AUTH_KEY is set/),
    expect.stringMatching(/^error: TS_DEST_IP=10\.0\.0\.1 is not supported/),
  ])
})

it('ends with 1 for a flag with such a value, and the reason names the flag', async () => {
  const { code, log, reason } = await run({ TS_BOOT_TIMEOUT: '90s' }, () => {}, ['--boot-timeout=5'])
  expect([code, reason]).toEqual([1, expect.stringMatching(/^--boot-timeout="5" is not valid/)])
  expect(log).toEqual([
    'culvert agent 0.0.0',
    'flags take precedence over the environment; not used: TS_BOOT_TIMEOUT',
    `error: ${reason}`,
  ])
})

it('ends with 2 for an unknown flag, and leaves the reason where kubelet shows it', async () => {
  const { code, log, reason } = await run({}, () => {}, ['--boot-timout=5'])
  expect([code, reason]).toEqual([2, 'there is no flag --boot-timout: did you mean --boot-timeout?'])
  expect(log).toEqual(['culvert agent 0.0.0', `error: ${reason}`])
})

it('ends with 0 at a signal, however early, and leaves no reason', async () => {
  const { code, log, reason } = await run({}, ({ signal }) => signal('SIGTERM'))
  expect([code, reason]).toEqual([0, ''])
  expect(log).toContain('received SIGTERM, shutting down')
})

it('ends with 1 after a bug in the agent, with its place in one line', async () => {
  const { code, log, reason } = await run({}, ({ fault }) => fault(new TypeError('no such thing')))
  expect(code).toBe(1)
  expect(reason).toMatch(/^bug in the agent: TypeError: no such thing; at .*run\.test\.ts/)
  expect(log.filter((line) => line.startsWith('error: '))).toEqual([`error: ${reason}`])
})

it('ends with 1 after a bug during the stop, too', async () => {
  const { code, reason } = await run({}, ({ signal, fault }) => {
    signal('SIGTERM')
    fault(new TypeError('no such thing'))
  })
  expect(code).toBe(1)
  expect(reason).toMatch(/^bug in the agent: TypeError: no such thing/)
})

it('never creates the termination log', async () => {
  rmSync(join(root, 'termination-log'))
  await expect(run({ TS_BOOT_TIMEOUT: '5' })).rejects.toThrow(/ENOENT/)
})
