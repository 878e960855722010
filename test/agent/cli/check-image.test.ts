import { expect, test } from 'vitest'
import { mismatch } from '../../../agent/cli/check-image.ts'

const client = (version: string, cap: number): string =>
  JSON.stringify({ majorMinorPatch: version, short: version, long: `${version}-t1`, cap })
const daemon = (version: string): string => `${version}\n  tailscale commit: 1\n  go version: go1.26.8\n`

test.each([
  ['the version it is made for', client('1.102.5', 142), daemon('1.102.5'), undefined],
  ['another build of that version', client('1.102.5', 142), daemon('1.102.5-dev20261124'), undefined],
  ['another patch of the same capability version', client('1.102.6', 142), daemon('1.102.6'), undefined],
  ['an older version', client('1.100.0', 138), daemon('1.100.0'), /1\.100\.0 has capability version 138, .* for 142/],
  ['a newer version', client('1.104.0', 145), daemon('1.104.0'), /1\.104\.0 has capability version 145, .* for 142/],
  ['a version without a capability version', '{}', daemon('1.102.5'), /capability version undefined/],
  [
    'tailscale and tailscaled that differ',
    client('1.102.5', 142),
    daemon('1.102.50'),
    /tailscale is 1\.102\.5, but tailscaled is 1\.102\.50/,
  ],
])('%s', (_what, reported, version, problem) => {
  const found = mismatch(reported, version)
  if (problem === undefined) expect(found).toBeUndefined()
  else expect(found).toMatch(problem)
})
