import { describe, expect, it } from 'vitest'
import { judgeOffload, judgeTransfer } from '../../../agent/check/offload.ts'
import { readTransfer } from '../../../agent/check/transfer.ts'
import { lineOf } from '../../../lib/finding.ts'

describe('offload', () => {
  const usual = {
    kernel: '6.12.9-cloud',
    isOff: false,
    version: undefined,
    segments: true,
    way: { device: 'eth0', mtu: 1500 },
  }
  it.each([
    [{}, ['offload']],
    [{ way: { device: 'eth0', mtu: 1450 } }, ['offload.nested']],
    [{ way: { device: 'eth0', mtu: 1450 }, segments: false }, ['offload']],
    [{ kernel: '7.0.2-6-pve' }, ['offload.kernel']],
    [{ kernel: '7.0.2-6-pve', isOff: true }, ['offload']],
    [{ kernel: '7.0.2-6-pve', isOff: true, version: '1.102.5-t0' }, ['offload']],
    [{ kernel: '7.0.2-6-pve', isOff: true, version: '1.98.9-t0' }, ['offload.older']],
    [{ way: undefined }, ['offload']],
  ])('%j: %j', (change, expected) => {
    expect(judgeOffload({ ...usual, ...change }).map(({ check }) => check)).toEqual(expected)
  })

  it('takes a transfer that is hardly faster than broken offload for collapsed', () => {
    const judged = (bytes: number) => judgeTransfer('100.64.0.9:5201', { bytes, seconds: 3 })
    expect(lineOf(judged(120 * 1024))).toMatch(
      /^error offload\.collapsed: only 40 KiB\/s got through .* in 3 s\. Set C/,
    )
    expect(judged(64 * 1024 * 1024).check).toBe('offload.transferred')
    expect(() => readTransfer('db:5201')).toThrow('--transfer takes an address')
  })
})
