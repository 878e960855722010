import { expect, it } from 'vitest'
import { readSettings } from '../../../agent/settings/read.ts'
import { runSet, runUp } from '../../../agent/tailscaled/up.ts'
import { type FakeChild, fakeSpawn } from './fake-spawn.ts'

const { settings } = readSettings({ TS_AUTHKEY: 'tskey-auth-hidden', TS_HOSTNAME: 'proxy' })

/** Runs a command whose process does `act`, one after the other. */
async function run(command: typeof runUp, ...acts: ((child: FakeChild) => void)[]) {
  const { spawn, children } = fakeSpawn()
  const lines: string[] = []
  const stop = new AbortController()
  const started: typeof spawn = (...given) => {
    const child = spawn(...given)
    acts[children.length - 1]?.(children.at(-1)!)
    return child
  }
  const outcome = await command(settings, started, (text) => lines.push(text), stop.signal).then(
    () => 'done',
    (error: unknown) => String(error),
  )
  return { outcome, lines, args: children.map((child) => child.args) }
}

it('passes on what it says, without secrets and empty lines', async () => {
  const { outcome, lines } = await run(runUp, (child) => {
    child.print('')
    child.print('  logging in with tskey-auth-hidden  ')
    child.exit()
  })
  expect([outcome, lines]).toEqual(['done', ['tailscale up: logging in with (secret)']])
})

it('fails with its last words, and with how it ended where it said none', async () => {
  const many = await run(runUp, (child) => {
    for (let line = 1; line <= 9; line += 1) child.print(`line ${line}`)
    child.exit({ code: 1 })
  })
  expect(many.outcome).toBe('CulvertError: tailscale up failed: line 5; line 6; line 7; line 8; line 9')
  const silent = await run(runUp, (child) => child.exit({ code: 1 }))
  expect(silent.outcome).toBe('CulvertError: tailscale up failed: tailscale ended with exit code 1')
})

it('resets what an earlier run has set and this one does not, once', async () => {
  const refusal = (child: FakeChild): void => {
    child.print('Error: changing settings via `tailscale up` requires mentioning all non-default flags.')
    child.exit({ code: 1 })
  }
  const { outcome, args, lines } = await run(runUp, refusal, (child) => child.exit())
  expect(outcome).toBe('done')
  expect(args.map((all) => all.includes('--reset'))).toEqual([false, true])
  expect(lines.at(-1)).toMatch(/settings of an earlier run.*are reset/)
  const twice = await run(runUp, refusal, refusal)
  expect([twice.args.length, twice.outcome]).toEqual([2, expect.stringMatching(/requires mentioning/)])
})

it('sets without a key', async () => {
  const { outcome, args } = await run(runSet, (child) => child.exit())
  expect([outcome, args[0]?.[1]]).toEqual(['done', 'set'])
  expect(args[0]?.join(' ')).not.toContain('tskey')
})
