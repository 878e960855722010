import { expect, it } from 'vitest'
import { parseUdpErrors, readUdpErrors } from '../../../agent/figures/udp-errors.ts'

const snmp = `Tcp: RtoAlgorithm InErrs
Tcp: 1 7
Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
Udp: 100 1 9 90 4 2 3 0 0
UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors
UdpLite: 0 0 0 0 50 50 50 0 0
`
const snmp6 = `Ip6InReceives                   	0
Udp6InErrors                    	8
Udp6RcvbufErrors                	5
Udp6SndbufErrors                	6
Udp6InCsumErrors                	1
UdpLite6RcvbufErrors            	60
`

it('reads why datagrams were dropped', () => {
  expect(parseUdpErrors(snmp, snmp6)).toEqual({
    4: { 'receive-buffer': 4, 'send-buffer': 2, checksum: 3 },
    6: { 'receive-buffer': 5, 'send-buffer': 6, checksum: 1 },
  })
})

it('a family that the kernel lacks is absent', async () => {
  expect(parseUdpErrors(snmp, '')).not.toHaveProperty('6')
  expect(await readUdpErrors('/nowhere')).toEqual({})
})
