import { describe, expect, it } from 'vitest'
import { logSettings, readSettings, strayVariables } from '../../apiserver/settings.ts'

const auth = { APISERVER_PROXY: 'true' }

describe('the settings of the API server proxy', () => {
  it('have defaults', () => {
    expect(readSettings(auth)).toMatchObject({
      config: { mode: 'auth' },
      socket: '/tmp/tailscaled.sock',
      tls: true,
      port: 9003,
      drainMs: 20_000,
      listen: { host: '127.0.0.2', port: 8443 },
      cluster: { host: '', port: '443', addressFromEnv: false },
    })
  })

  it.each<[Readonly<Record<string, string>>, object]>([
    [{ APISERVER_PROXY: 'auth' }, { mode: 'auth' }],
    [{ APISERVER_PROXY: 'noauth' }, { mode: 'noauth' }],
    [{ TS_K8S_PROXY_CONFIG: '/etc/proxy/config.hujson' }, { path: '/etc/proxy/config.hujson' }],
  ])('with %j are %j', (env, config) => {
    expect(readSettings(env).config).toEqual(config)
  })

  it.each<[Readonly<Record<string, string>>, RegExp]>([
    [{}, /APISERVER_PROXY and TS_K8S_PROXY_CONFIG/],
    [{ ...auth, TS_K8S_PROXY_CONFIG: '/x' }, /not both/],
    [{ APISERVER_PROXY: 'false' }, /APISERVER_PROXY="false"/],
    [{ TS_K8S_PROXY_CONFIG: 'kube:ns/secret' }, /mounted/],
    // Others could get there, with a header of their own.
    [{ ...auth, CULVERT_APISERVER_LISTEN: '127.0.0.1:8443' }, /CULVERT_APISERVER_LISTEN/],
    [{ ...auth, CULVERT_APISERVER_LISTEN: '[::1]:8443' }, /CULVERT_APISERVER_LISTEN/],
    [{ ...auth, CULVERT_APISERVER_LISTEN: '0.0.0.0:8443' }, /CULVERT_APISERVER_LISTEN/],
    [{ ...auth, CULVERT_APISERVER_LISTEN: '10.0.0.1:8443' }, /CULVERT_APISERVER_LISTEN/],
    [{ ...auth, CULVERT_APISERVER_LISTEN: ':8443' }, /CULVERT_APISERVER_LISTEN/],
    [{ ...auth, CULVERT_APISERVER_TLS: 'perhaps', CULVERT_APISERVER_PORT: '-1' }, /TLS.*; .*PORT/],
    [{ ...auth, CULVERT_APISERVER_DRAIN: '11m' }, /DRAIN/],
    [{ ...auth, CULVERT_LOG_FORMAT: 'xml' }, /CULVERT_LOG_FORMAT="xml" is not valid: text or json is accepted/],
  ])('refuse %j', (env, problem) => {
    expect(() => readSettings(env)).toThrow(problem)
  })

  it('say how to log', () => {
    expect(logSettings(auth)).toEqual({ format: 'text', level: 'info' })
    expect(logSettings({ CULVERT_LOG_FORMAT: 'json ', CULVERT_LOG_LEVEL: 'warn' })).toEqual({
      format: 'json',
      level: 'warn',
    })
  })

  it('name what was probably meant', () => {
    expect(strayVariables({ ...auth, CULVERT_APISERVER_LISTENS: 'x', OTHER: 'y' })).toEqual([
      'CULVERT_APISERVER_LISTENS is no setting of the proxy; did you mean CULVERT_APISERVER_LISTEN?',
    ])
  })
})
