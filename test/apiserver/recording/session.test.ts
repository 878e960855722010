import { expect, it } from 'vitest'
import type { Header } from '../../../apiserver/headers.ts'
import { sessionOf } from '../../../apiserver/recording/session.ts'

const path = '/api/v1/namespaces/n/pods/p.q'
const of = (
  target: string,
  method = 'GET',
  upgrade: string | undefined = 'websocket',
  protocols = 'v5.channel.k8s.io',
) => {
  const headers: Header[] = protocols === '' ? [] : [['sec-WebSocket-protocol', protocols]]
  return sessionOf({ method, target, headers }, { upgrade })
}

it('a session is what its path and query say, in any order', () => {
  const exec = {
    protocol: 'websocket',
    type: 'exec',
    namespace: 'n',
    pod: 'p.q',
    container: 'c',
    command: ['sh', '-c', 'a b&'],
  }
  expect(of(`${path}/exec?command=sh&tty=true&command=-c&container=c&command=a+b%26`)).toEqual(exec)
  expect(of(`${path}/attach`)).toEqual({ ...exec, type: 'attach', container: '', command: [] })
  expect(of(`${path}/exec`, 'POST', 'SPDY/3.1', '')).toMatchObject({ protocol: 'SPDY/3.1', type: 'exec' })
})

it.each([
  'v4.channel.k8s.io',
  'v5.channel.k8s.io,v4.channel.k8s.io, channel.k8s.io',
  'v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.dG9rZW4',
])('is recorded if it speaks %s', (protocols) =>
  expect(of(`${path}/exec`, 'GET', 'websocket', protocols)).toBeDefined(),
)

it.each([
  ['in other subprotocols', of(`${path}/exec`, 'GET', 'websocket', 'v4.base64.channel.k8s.io')],
  ['if one of its subprotocols is another', of(`${path}/exec`, 'GET', 'websocket', 'v4.channel.k8s.io,x')],
  ['without a subprotocol', of(`${path}/exec`, 'GET', 'websocket', '')],
  ['over SPDY with the method of WebSocket', of(`${path}/exec`, 'GET', 'SPDY/3.1')],
  [
    'without a change of protocol',
    sessionOf({ method: 'GET', target: `${path}/exec`, headers: [] }, { upgrade: undefined }),
  ],
  ['by another method', of(`${path}/exec`, 'POST')],
  ['of ports', of(`${path}/portforward`)],
  ['through proxies', of('/api/v1/nodes/n/proxy/exec/n/p/c')],
  ['in a longer path', of(`${path}/exec/`)],
  ['with doubled slashes', of(`/${path}/exec`)],
  ['with encoded letters', of(`${path}/%65xec`)],
  ['with an encoded slash', of(`${path}%2Fexec`)],
  ['of another version', of('/api/v2/namespaces/n/pods/p/exec')],
])('cannot be recorded: %s', (_what, session) => expect(session).toBeUndefined())
