import { describe, expect, it, test } from 'vitest'
import type { Device } from '../../../operator/proxy/request.ts'
import { recorder } from '../../../operator/recorder/recorder.ts'
import type { RecorderSpec } from '../../../operator/recorder/request.ts'
import { settings, worldOf } from '../a-world.ts'
import { made, s3 } from './a-recorder.ts'

describe('the status of a Recorder', () => {
  const device = (more: Partial<Device> = {}): Device => ({
    ordinal: 0,
    id: 'n0',
    fqdn: 'rec-0.lab.ts.net',
    addresses: ['100.64.0.1'],
    httpsEndpoint: 'rec-0.lab.ts.net',
    isCurrent: true,
    isReady: true,
    ...more,
  })
  const reported = (spec: RecorderSpec, ...devices: Device[]) =>
    recorder.report(made(spec), { devices, name: 'rec', refused: undefined }, worldOf(), settings)

  it('has the devices, and the URL of the web page if there is one', () => {
    const shown = { hostname: 'rec-0', tailnetIPs: ['100.64.0.1'] }
    const { status, conditions } = reported({ enableUI: true }, device())
    expect(status).toEqual({ devices: [{ ...shown, url: 'https://rec-0.lab.ts.net' }] })
    expect(conditions).toMatchObject([{ type: 'RecorderReady', status: 'True', reason: 'RecorderCreated' }])
    expect(reported({ storage: { s3 } }, device()).status).toEqual({ devices: [shown] })
  })

  it('has no URL in a tailnet without certificates, which is told', () => {
    const { status, events } = reported({ enableUI: true }, device({ httpsEndpoint: 'no-https' }))
    expect(status['devices']).toEqual([{ hostname: 'rec-0', tailnetIPs: ['100.64.0.1'] }])
    expect(events).toMatchObject([{ reason: 'HTTPSNotEnabled', message: expect.stringContaining('no web page') }])
    expect(reported({ storage: { s3 } }, device({ httpsEndpoint: 'no-https' })).events).toEqual([])
  })

  test.each<[string, readonly Device[]]>([
    ['before there is a device', []],
    ['before it has joined', [device({ fqdn: undefined })]],
    ['while its Pod is not ready', [device({ isReady: false })]],
    ['with what an earlier Pod has left', [device({ isCurrent: false })]],
  ])('is not ready %s', (_title, devices) => {
    const { status, conditions } = reported({ enableUI: true }, ...devices)
    const [type, reason] = ['RecorderReady', 'RecorderCreating']
    expect(conditions).toEqual([{ type, status: 'False', reason, message: '0 of 1 device is up' }])
    expect(status).toEqual({ devices: [] })
  })

  test.each([
    ['RecorderTailnetUnavailable', 'invalid', 'RecorderTailnetUnavailable'],
    ['NotSupportedByAgent', 'invalid', 'RecorderInvalid'],
    ['NotOwned', 'failed', 'RecorderCreationFailed'],
    ['ProxyRemoved', 'pending', 'RecorderCreating'],
  ] as const)('says why it is refused: %s', (reason, as, said) => {
    const refused = { as, reason, message: 'why' }
    const { conditions } = recorder.report(made({}), { devices: [], name: 'rec', refused }, worldOf(), settings)
    expect(conditions).toEqual([{ type: 'RecorderReady', status: 'False', reason: said, message: 'why' }])
  })
})
