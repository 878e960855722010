import { describe, expect, it } from 'vitest'
import { admit } from '../../apiserver/admit.ts'
import { readCaller } from '../../apiserver/caller.ts'
import type { Header } from '../../apiserver/headers.ts'
import { Refused } from '../../apiserver/refused.ts'
import { parseAddress } from '../../lib/address.ts'
import { aWhois, granting, groups } from './a-whois.ts'

const address = parseAddress('100.64.0.7')!
const callerOf = (...rules: readonly object[]) =>
  readCaller(aWhois(address.text, { capMap: granting(...rules) }), address, new Date(0))
const received = {
  version: '1.1',
  method: 'POST',
  target: '/api',
  headers: [['Content-Length', '0'] as const, ['Accept', '*/*'] as const],
}
const plain = { upgrade: undefined, hasBody: false }
const session = { upgrade: 'SPDY/3.1', hasBody: false }
const secret = (): string => 'Bearer t'

it('the length goes on with the body that it is of', () => {
  expect(admit(received, plain, callerOf(), { mode: 'noauth' }, secret)).toEqual(['Accept', '*/*'])
  const body = { ...plain, hasBody: true }
  expect(admit(received, body, callerOf(), { mode: 'noauth' }, secret)).toEqual([
    'Content-Length',
    '0',
    'Accept',
    '*/*',
  ])
})

it('with an impersonation the caller goes on', () => {
  expect(admit(received, plain, callerOf(groups('a')), { mode: 'auth' }, secret)).toEqual([
    'Accept',
    '*/*',
    'Authorization',
    'Bearer t',
    'Impersonate-User',
    'alice@example.com',
    'Impersonate-Group',
    'a',
  ])
})

it('without an impersonation, the credentials of the proxy are not even read', () => {
  const never = (): string => {
    throw new Error('read')
  }
  expect(() => admit(received, plain, callerOf(), { mode: 'noauth' }, never)).not.toThrow()
  expect(() => admit(received, plain, callerOf(), { mode: 'auth' }, never)).toThrow('read')
})

it('nothing goes on while the proxy is switched off', () => {
  expect(() => admit(received, plain, callerOf(), { mode: undefined }, secret)).toThrow(Refused)
})

describe('what must be recorded is not done', () => {
  const recorderAddrs = ['100.64.0.9:80']
  it.each<[string, object, request: boolean, session: boolean]>([
    ['nothing is to be recorded', {}, true, true],
    ['sessions are to be recorded if possible', { recorderAddrs }, true, true],
    ['all is to be recorded if possible', { recorderAddrs, enableEvents: true }, true, true],
    ['sessions must be recorded', { recorderAddrs, enforceRecorder: true }, true, false],
    ['all must be recorded', { recorderAddrs, enforceRecorder: true, enableEvents: true }, true, false],
    ['there is no recorder, and there must be', { enforceRecorder: true }, false, false],
  ])('%s', (_what, rule, request, its) => {
    const passes = (frame: typeof plain | typeof session) => {
      try {
        return admit(received, frame, callerOf(rule), { mode: 'noauth' }, secret).length > 0
      } catch (error) {
        expect(error).toMatchObject({ status: 403, reason: 'policy' })
        return false
      }
    }
    expect([passes(plain), passes(session)]).toEqual([request, its])
  })

  it.each<[target: string, isDone: boolean]>([
    ['/api/v1/nodes/one/proxy/run/default/web-0/main?cmd=id', false],
    ['/api/v1/nodes/https:one:10250/proxy/run/default/web-0/main', false],
    ['//api/v1/nodes/one/%70roxy/run/default/web-0/main', false],
    ['/api/v1/proxy/nodes/one/run/default/web-0/main', false],
    ['/api/v1/nodes%2Fone%2Fproxy/run/default/web-0/main', false],
    // Kubelet takes anything for the UID of a Pod.
    ['/api/v1/nodes/one/%70roxy/run/default/web-0/%ff/main?cmd=id', false],
    ['/api/v1/nodes/one', true],
    ['/api/v1/namespaces/default/pods/web-0/proxy/', true],
  ])('%s is done where sessions must be recorded: %s', (target, isDone) => {
    const caller = callerOf({ recorderAddrs, enforceRecorder: true })
    const admitted = (): unknown => admit({ ...received, target }, plain, caller, { mode: 'noauth' }, secret)
    if (isDone) expect(admitted()).toEqual(['Accept', '*/*'])
    else expect(admitted).toThrow('cannot be done with this one')
  })
})

describe('a page in a browser', () => {
  const names: Header = ['Host', 'kube.lab.ts.net']
  it.each<[string, readonly Header[], boolean]>([
    ['that is no page', [names], true],
    ['of another site', [names, ['Origin', 'https://other.example.com']], false],
    ['of another host', [names, ['origin', 'https://other.lab.ts.net']], false],
    ['of another port', [names, ['Origin', 'https://kube.lab.ts.net:8443']], false],
    ['that does not say of which site it is', [names, ['Origin', 'null']], false],
    ['with two origins', [names, ['Origin', 'https://kube.lab.ts.net'], ['Origin', 'https://other']], false],
    ['that only reads', [names, ['Sec-Fetch-Site', 'cross-site']], false],
    ['of the same domain', [names, ['sec-fetch-site', 'same-site']], false],
    ['of the server itself', [names, ['Origin', 'https://kube.lab.ts.net'], ['Sec-Fetch-Site', 'same-origin']], true],
    [
      'of the server itself, by its port',
      [
        ['host', 'KUBE.lab.ts.net:443'],
        ['Origin', 'https://kube.lab.ts.net'],
      ],
      true,
    ],
    [
      'of the server itself, over HTTP/2',
      [
        [':authority', 'kube.lab.ts.net'],
        ['origin', 'https://kube.lab.ts.net'],
      ],
      true,
    ],
    [
      'whose server has no name',
      [
        ['Host', ''],
        ['Origin', ''],
      ],
      false,
    ],
  ])('%s', (_what, headers, mayAsk) => {
    const asks = (mode: 'auth' | 'noauth'): boolean => {
      try {
        return admit({ ...received, headers }, plain, callerOf(), { mode }, secret).length >= 0
      } catch (error) {
        expect(error).toMatchObject({ status: 403, reason: 'foreign-page' })
        return false
      }
    }
    // Without impersonation, it would need credentials.
    expect([asks('auth'), asks('noauth')]).toEqual([mayAsk, true])
  })
})
