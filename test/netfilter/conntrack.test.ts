import { expect, it } from 'vitest'
import { parseFlows } from '../../netfilter/conntrack.ts'

it.each([
  [
    'tcp      6 431989 ESTABLISHED src=100.64.0.1 dst=100.64.0.2 sport=44016 dport=7000 src=10.98.0.11 dst=10.98.0.10 sport=7000 dport=44016 [ASSURED] mark=0 use=1',
    { protocol: 'tcp', destination: '100.64.0.2', answeredBy: '10.98.0.11' },
  ],
  [
    'udp      17 18 src=fd98::10 dst=fd99::1 sport=48380 dport=3478 [UNREPLIED] src=fd99::1 dst=fd98::10 sport=3478 dport=48380 mark=0 use=1',
    { protocol: 'udp', destination: 'fd99::1', answeredBy: 'fd99::1' },
  ],
  [
    'icmp     1 29 src=100.64.0.1 dst=100.64.0.2 type=8 code=0 id=7 src=10.98.0.11 dst=10.98.0.10 type=0 code=0 id=7 mark=0 use=1',
    { protocol: 'icmp', destination: '100.64.0.2', answeredBy: '10.98.0.11' },
  ],
])('reads %s', (line, flow) => {
  expect(parseFlows(`${line}\n`)).toEqual([flow])
})

it('passes over what is no flow', () => {
  expect(parseFlows('conntrack v1.4.7: 3 flow entries have been shown.\n\ntcp 6 src=x dst=y\n')).toEqual([])
})
