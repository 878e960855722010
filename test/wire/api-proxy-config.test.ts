import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CulvertError } from '../../lib/errors.ts'
import { parseApiProxyConfig } from '../../wire/api-proxy-config.ts'

const parse = (text: string) => parseApiProxyConfig('/etc/proxy/config.hujson', Buffer.from(text))
const proxy = (fields: object): string =>
  JSON.stringify({ Version: 'v1alpha1', AuthKey: 'tskey-secret', APIServerProxy: fields })
const off = { mode: undefined, serviceNames: [] }

describe('the config document of an API server proxy', () => {
  it.each<[string, string, object]>([
    ['with impersonation', proxy({ Enabled: true, Mode: 'auth' }), { mode: 'auth', serviceNames: [] }],
    [
      'without',
      proxy({ Enabled: true, Mode: 'noauth', ServiceName: 'svc:kube' }),
      { mode: 'noauth', serviceNames: ['svc:kube'] },
    ],
    [
      'with several names',
      proxy({ Enabled: true, Mode: 'auth', ServiceName: 'svc:new', OtherServiceNames: ['svc:old'] }),
      { mode: 'auth', serviceNames: ['svc:new', 'svc:old'] },
    ],
    ['switched off', proxy({ Enabled: false, Mode: 'auth', ServiceName: '' }), off],
    ['that says nothing of it', '{"Version":"v1alpha1"}', off],
    ['where it is null', '{"Version":"v1alpha1","APIServerProxy":null}', off],
    [
      'with comments, and names as Go takes them',
      '{"version":"v1alpha1", // x\n"apiserverproxy":{"ENABLED":true,"mode":"auth",},}',
      { ...off, mode: 'auth' },
    ],
    [
      'in a part for its version',
      '{"v1alpha1":{"APIServerProxy":{"Enabled":true,"Mode":"auth"}}}',
      { ...off, mode: 'auth' },
    ],
  ])('%s', (_what, text, config) => {
    expect(parse(text)).toEqual(config)
  })

  it.each<[string, string, RegExp]>([
    ['empty', '', /empty/],
    ['cut', '{"Version":"v1alpha1"', /half written/],
    ['of no version', '{}', /version/],
    ['of another version', '{"Version":"v2"}', /version.*v1alpha1/],
    ['of two versions', '{"Version":"v1alpha1","v1alpha1":{}}', /both/],
    ['without a mode', proxy({ Enabled: true }), /Mode.*auth/],
    ['with another mode', proxy({ Enabled: true, Mode: 'AUTH' }), /Mode.*auth/],
    ['switched on by a text', proxy({ Enabled: 'true', Mode: 'auth' }), /Enabled/],
    ['with a name that is none', proxy({ Enabled: true, Mode: 'auth', ServiceName: 'kube' }), /ServiceName/],
    [
      'with another name that is none',
      proxy({ Enabled: true, Mode: 'auth', ServiceName: 'svc:kube', OtherServiceNames: ['kube'] }),
      /OtherServiceNames\[0\]/,
    ],
    ['where it is a list', proxy([]), /APIServerProxy/],
  ])('is refused: %s', (_what, text, reason) => {
    expect(() => parse(text)).toThrow(reason)
  })

  it('is refused without its key, whatever it is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (version, fields) => {
        try {
          parse(JSON.stringify({ Version: version, AuthKey: 'tskey-secret', APIServerProxy: fields }))
        } catch (error) {
          expect(error).toBeInstanceOf(CulvertError)
          expect(String(error)).not.toContain('tskey')
        }
      }),
    )
  })
})
