import { expect, it } from 'vitest'
import { parseFlows } from '../../netfilter/conntrack.ts'

it.each([
  [
    'tcp      6 431989 ESTABLISHED src=100.64.0.1 dst=100.64.0.2 sport=44016 dport=7000 src=10.98.0.11 dst=10.98.0.10 sport=7000 dport=44016 [ASSURED] mark=0 use=1',
    ['tcp', '100.64.0.2', 7000, '10.98.0.11', 7000, '10.98.0.10'],
  ],
  [
    'udp      17 18 src=10.98.0.10 dst=10.98.0.9 sport=48380 dport=3478 [UNREPLIED] src=10.98.0.9 dst=10.98.0.10 sport=3479 dport=48380 mark=0 use=1',
    ['udp', '10.98.0.9', 3478, '10.98.0.9', 3479, '10.98.0.10'],
  ],
  [
    'icmp     1 29 src=100.64.0.1 dst=100.64.0.2 type=8 code=0 id=7 src=10.98.0.11 dst=10.98.0.10 type=0 code=0 id=7 mark=0 use=1',
    ['icmp', '100.64.0.2', undefined, '10.98.0.11', undefined, '10.98.0.10'],
  ],
  [
    'unknown  47 29 src=100.64.0.1 dst=100.64.0.2 src=10.98.0.11 dst=10.98.0.10 use=1',
    ['47', '100.64.0.2', undefined, '10.98.0.11', undefined, '10.98.0.10'],
  ],
])('reads %s', (line, [protocol, destination, port, answeredBy, answeredFrom, answeredTo]) => {
  const flow = { family: 4, protocol, destination, port, answeredBy, answeredFrom, answeredTo, closed: false }
  expect(parseFlows(4, `${line}\n`)).toEqual([flow])
})

it.each([
  ['mark=268435456 use=1', 0x1000_0000],
  ['[ASSURED] mark=1 use=2', 1],
  ['mark=0 use=1', undefined],
  ['use=1', undefined],
])('reads of %s the mark %s', (end, mark) => {
  const line = `udp      17 18 src=10.0.0.1 dst=10.0.0.2 sport=4 dport=7 src=100.64.0.2 dst=100.64.0.1 sport=7 dport=4 ${end}`
  expect(parseFlows(4, line).map((flow) => flow.mark)).toEqual([mark])
})

it('reads IPv6', () => {
  const line =
    'udp      17 18 src=fd98::10 dst=fd99::1 sport=48380 dport=3478 [UNREPLIED] src=fd99::1 dst=fd98::10 sport=3478 dport=48380 mark=0 use=1'
  expect(parseFlows(6, line)).toMatchObject([{ family: 6, destination: 'fd99::1', port: 3478, answeredTo: 'fd98::10' }])
})

it.each([
  ['SYN_SENT', false],
  ['FIN_WAIT', false],
  ['TIME_WAIT', true],
  ['CLOSE', true],
  ['CLOSE_WAIT', false],
])('knows whether a connection in %s is over', (state, closed) => {
  const line = `tcp      6 9 ${state} src=10.0.0.1 dst=10.0.0.2 sport=4 dport=7 src=100.64.0.2 dst=100.64.0.1 sport=7 dport=4 use=1`
  expect(parseFlows(4, line)).toMatchObject([{ port: 7, closed }])
})

it('passes over what is no flow', () => {
  expect(parseFlows(4, 'conntrack v1.4.7: 3 flow entries have been shown.\n\ntcp 6 src=x dst=y\n')).toEqual([])
})
