import { expect, it } from 'vitest'
import { controlUrlOf, judgeClock, shown } from '../../../agent/check/control.ts'
import { readSettings } from '../../../agent/settings/read.ts'
import { lineOf } from '../../../lib/finding.ts'
import { parseDeviceConfigFile } from '../../../wire/device-config.ts'

it.each([
  [[], undefined, 'https://controlplane.tailscale.com'],
  [['--login-server=https://a.example'], undefined, 'https://a.example'],
  [[], { ServerURL: 'https://b.example' }, 'https://b.example'],
  [[], {}, 'https://controlplane.tailscale.com'],
])('with arguments %j and config file %j, the control server is %s', (args, content, expected) => {
  const { settings } = readSettings({ TS_EXTRA_ARGS: args.join(' ') })
  const bytes = Buffer.from(JSON.stringify({ version: 'alpha0', ...content }))
  const file = content && parseDeviceConfigFile('cap-95.hujson', bytes)
  expect(controlUrlOf({ settings, file })).toBe(expected)
})

it('shows no password of a URL', () => {
  expect(shown('https://me:secret@a.example/x@y')).toBe('https://a.example/x@y')
  // A URL’s password may have an @, which need not be escaped.
  expect(shown('https://me:sec@ret@a.example/x@y')).toBe('https://a.example/x@y')
  expect(shown('https://a.example?x=@y')).toBe('https://a.example?x=@y')
  expect(shown('https://a.example/x@y')).toBe('https://a.example/x@y')
})

it('compares the clock with that of a server', () => {
  const now = new Date('2026-11-30T12:00:00Z')
  const at = (seconds: number) => ({ status: 200, date: new Date(now.getTime() + seconds * 1000) })
  const judged = (...heads: readonly [ReturnType<typeof at> | undefined, ReturnType<typeof at> | undefined]) =>
    judgeClock(...heads, { date: () => now }).map(lineOf)
  expect(judged(at(-30), at(9000))).toEqual(['ok clock: the clock agrees with the control server'])
  expect(judged(undefined, at(-7200))[0]).toMatch(
    /^error clock\.skewed: the clock is 7200 s ahead of that of the API s/,
  )
  expect(judged(at(300), undefined)[0]).toMatch(/the clock is 300 s behind that of the control server/)
  expect(judged(undefined, undefined)[0]).toMatch(/^unknown clock\.unknown/)
})
