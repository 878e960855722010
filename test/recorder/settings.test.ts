import { describe, expect, it } from 'vitest'
import { readSettings, strayVariables, withFlags } from '../../recorder/settings.ts'

const base = { TSRECORDER_DST: '/data' }

describe('the settings of the recorder', () => {
  it('are few', () => {
    expect(readSettings(base)).toEqual({
      directory: '/data',
      s3: undefined,
      socket: '/var/run/tailscale/tailscaled.sock',
      listen: expect.objectContaining({ host: '127.0.0.2', port: 8080 }),
      isProxied: true,
      port: 9004,
      keepMs: Infinity,
      maxBytes: Infinity,
      maxSessionBytes: Infinity,
      drainMs: 20_000,
    })
  })

  it.each([
    ['TSRECORDER_DST', '--dir', '/other', { directory: '/other' }],
    ['TSRECORDER_DST', '--dst', '/other', { directory: '/other' }],
    ['TS_SOCKET', '--socket', '/s', { socket: '/s' }],
    ['CULVERT_RECORDER_KEEP', '--keep', '90d', { keepMs: 90 * 86_400_000 }],
    ['CULVERT_RECORDER_KEEP', '--keep', '1h30m', { keepMs: 5_400_000 }],
    ['CULVERT_RECORDER_MAX_SIZE', '--max-size', '2Gi', { maxBytes: 2 ** 31 }],
    ['CULVERT_RECORDER_MAX_SESSION_SIZE', '--max-session-size', '500', { maxSessionBytes: 500 }],
    ['CULVERT_RECORDER_DRAIN', '--drain', '1h', { drainMs: 3_600_000 }],
    ['CULVERT_RECORDER_PORT', '--port', '1', { port: 1 }],
  ])('%s=… and %s=%s are the same', (name, flag, value, read) => {
    expect(readSettings({ ...base, [name]: value })).toMatchObject(read)
    expect(readSettings(withFlags({ ...base, [name]: 'nonsense' }, [`${flag}=${value}`]))).toMatchObject(read)
  })

  it('an address of its own may be listened on without PROXY headers', () => {
    const direct = { ...base, CULVERT_RECORDER_PROXY_PROTOCOL: 'false', CULVERT_RECORDER_LISTEN: '100.64.0.9:80' }
    expect(readSettings(direct)).toMatchObject({ isProxied: false, listen: { host: '100.64.0.9', port: 80 } })
  })

  it.each([
    [{ TSRECORDER_DST: '' }, /must say where recordings are kept/],
    [{ CULVERT_RECORDER_LISTEN: '127.0.0.1:8080' }, /but not 127\.0\.0\.1/],
    [{ CULVERT_RECORDER_LISTEN: '0.0.0.0:80' }, /but not 127\.0\.0\.1/],
    [{ CULVERT_RECORDER_KEEP: '3 days' }, /a time such as 90d/],
    [{ CULVERT_RECORDER_KEEP: '0s' }, /a time such as 90d/],
    [{ CULVERT_RECORDER_MAX_SIZE: '2G' }, /a size such as 200Gi/],
    [{ CULVERT_RECORDER_DRAIN: '25h' }, /up to 24h/],
    [{ CULVERT_RECORDER_PORT: '70000' }, /a port/],
    [{ CULVERT_RECORDER_PROXY_PROTOCOL: 'yes' }, /true or false/],
    [{ TSRECORDER_UI: 'yes' }, /true or false/],
    [{ CULVERT_RECORDER_WEB_LISTEN: '0.0.0.0:443' }, /but not 127\.0\.0\.1/],
  ])('%j is refused', (env, words) => {
    expect(() => readSettings({ ...base, ...env })).toThrow(words)
  })

  it('those of Tailscale’s recorder that have no effect are accepted, and named', () => {
    const env = withFlags({ ...base, TSRECORDER_LOGIN_SERVER: 'https://x', TS_AUTHKEY_FILE: '/x' }, [
      '--hostname=recorder',
      '--statedir=/x',
      '--bucket=x',
    ])
    expect(readSettings(env)).toMatchObject({ directory: '/data', web: undefined })
    expect(strayVariables(env)).toEqual([
      expect.stringContaining('TSRECORDER_LOGIN_SERVER has no effect'),
      expect.stringContaining('TSRECORDER_HOSTNAME has no effect'),
      expect.stringContaining('TSRECORDER_BUCKET has no effect: '),
    ])
  })

  it('the web page listens where tailscaled connects to, if there is to be one', () => {
    const web = { host: '127.0.0.2', port: 8081 }
    expect(readSettings(withFlags(base, ['--ui']))).toMatchObject({ web })
    expect(
      readSettings({
        ...base,
        TSRECORDER_UI: 'true',
        CULVERT_RECORDER_PROXY_PROTOCOL: 'false',
        CULVERT_RECORDER_LISTEN: '100.64.0.9:80',
      }),
    ).toMatchObject({ web })
    expect(readSettings({ ...base, TSRECORDER_UI: 'false' })).toMatchObject({ web: undefined })
  })

  it('what was probably meant is suggested', () => {
    expect(strayVariables({ CULVERT_RECORDER_KEPT: '1' })).toEqual([
      'CULVERT_RECORDER_KEPT is no setting of the recorder; did you mean CULVERT_RECORDER_KEEP?',
    ])
    expect(() => withFlags({}, ['--keeep=1d'])).toThrow(/did you mean --keep/)
  })
})
