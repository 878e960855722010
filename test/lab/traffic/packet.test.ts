import { expect, test } from 'vitest'
import { parsePacket } from './packet.ts'

test.each([
  [
    '1795318290.344565 IP 10.98.0.10.56728 > 10.98.0.11.7000: tcp 0',
    {
      at: 1795318290.344565,
      family: 4,
      from: { address: '10.98.0.10', port: 56728 },
      to: { address: '10.98.0.11', port: 7000 },
      text: 'tcp 0',
    },
  ],
  [
    '1.5 IP6 fd98::10.33592 > fd98::11.7000: UDP, length 12',
    {
      at: 1.5,
      family: 6,
      from: { address: 'fd98::10', port: 33592 },
      to: { address: 'fd98::11', port: 7000 },
      text: 'UDP, length 12',
    },
  ],
  [
    '1.5 eth0  Out IP 10.98.0.10 > 10.98.0.1: ICMP echo request, id 1, seq 1, length 64',
    {
      at: 1.5,
      family: 4,
      from: { address: '10.98.0.10', port: undefined },
      to: { address: '10.98.0.1', port: undefined },
      text: 'ICMP echo request, id 1, seq 1, length 64',
    },
  ],
  ['1.5 ARP, Request who-has 10.98.0.1 tell 10.98.0.10, length 28', undefined],
  ['listening on eth0', undefined],
])('%s', (line, packet) => {
  expect(parsePacket(line)).toEqual(packet)
})
