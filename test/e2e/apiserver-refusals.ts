import { expect, test } from 'vitest'
import { proxyHeader } from '../apiserver/proxy-header.ts'
import { type ApiServerBed, devs, ports } from './apiserver-bed.ts'

/** Tests of who is refused, and of who learns of it. */
export function testRefusals(its: () => ApiServerBed): void {
  test('a device that connects to the proxy’s own port cannot claim to be another one', async () => {
    const { addresses } = await its().bed.control.node('proxy')
    const target = addresses.find((address) => address.includes('.'))!
    const header = proxyHeader((await its().bed.control.node('alice')).addresses[0]!, 4711).toString('base64')
    const program = `
      const socket = require('net').connect(${ports.auth.local}, ${JSON.stringify(target)})
      socket.on('error', (error) => console.log(error.code))
      socket.on('data', (data) => console.log('answered ' + data))
      socket.on('close', () => console.log('closed'))
      socket.write(Buffer.from(${JSON.stringify(header)}, 'base64'))`
    const { stdout } = await its().bed.host('robot').exec([process.execPath, '--eval', program])
    expect(stdout).not.toContain('answered')
    expect(stdout).toContain('closed')
  })

  test('a policy that cannot be read lets nobody in, which is an Event of the Pod', async () => {
    await its().grant([{ app: { 'tailscale.com/cap/kubernetes': [{ impersonate: 'devs' }] } }])
    const get = () => its().kubectl('alice', ['get', 'pods', '--output=name']).catch(String)
    await expect.poll(get).toMatch(/in a form that cannot be used/)
    // A new device first asks which resources there are.
    const fresh = its().kubectl('alice', ['get', 'pods'], { env: { HOME: '/tmp/fresh' } })
    await expect(fresh).rejects.toThrow(/in a form that cannot be used/)
    const event = /^RefusedByPolicy: A request of \S+ was refused: .*"impersonate" is no object/
    await expect.poll(() => its().events()).toContainEqual(expect.stringMatching(event))
    await its().grant(devs)
    await expect.poll(get).toContain('pod/app')
  })
}
