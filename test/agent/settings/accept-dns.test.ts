import { describe, expect, it } from 'vitest'
import { type Environment, readSettings } from '../../../agent/settings/read.ts'

const read = (env: Environment) => readSettings(env).settings

describe('--accept-dns within TS_EXTRA_ARGS', () => {
  it.each([
    ['--accept-dns', 'false', true, []],
    ['--accept-dns=false --ssh', 'true', false, ['--ssh']],
    ['--accept-dns=true', '', true, []],
    ['--accept-dns=maybe', 'true', true, ['--accept-dns=maybe']],
    ['-accept-dns=true', 'false', false, ['-accept-dns=true']],
    ['--accept-routes', 'true', true, ['--accept-routes']],
    ['--accept-dns=false --accept-dns=true', '', false, ['--accept-dns=true']],
  ])('%s with TS_ACCEPT_DNS=%s', (extra, variable, acceptDns, extraArgs) => {
    expect(read({ TS_EXTRA_ARGS: extra, TS_ACCEPT_DNS: variable }).up).toMatchObject({ acceptDns, extraArgs })
  })

  it('warns of a bad boolean', () => {
    expect(readSettings({ TS_EXTRA_ARGS: '--accept-dns=maybe' }).warnings).toHaveLength(1)
  })
})
