import { expect, it } from 'vitest'
import { CommandError } from '../../lib/command.ts'
import { endFlows, parseFlows } from '../../netfilter/conntrack.ts'
import { emptyTable } from '../../netfilter/table.ts'

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
])('reads the mark of %s: %s', (end, mark) => {
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
])('knows whether a TCP connection in state %s is closed', (state, closed) => {
  const line = `tcp      6 9 ${state} src=10.0.0.1 dst=10.0.0.2 sport=4 dport=7 src=100.64.0.2 dst=100.64.0.1 sport=7 dport=4 use=1`
  expect(parseFlows(4, line)).toMatchObject([{ port: 7, closed }])
})

it('ignores lines that are not flows', () => {
  expect(parseFlows(4, 'conntrack v1.4.7: 3 flow entries have been shown.\n\ntcp 6 src=x dst=y\n')).toEqual([])
})

const ending = () => {
  const flows = parseFlows(
    4,
    'tcp 6 9 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=4 dport=7 src=100.64.0.2 dst=100.64.0.1 sport=7 dport=4 use=1',
  )
  return { flows, ended: flows, table: emptyTable }
}

/** conntrack fails with these texts in turn, and then works. */
async function endWith(...texts: readonly string[]): Promise<number> {
  let calls = 0
  await endFlows(async () => {
    const stderr = texts[calls]
    calls += 1
    if (stderr !== undefined) throw new CommandError(`conntrack failed: ${stderr}`, { exitCode: 1, stderr })
    return ''
  }, ending())
  return calls
}

it('goes on with the other flows when one has just ended by itself', async () => {
  const gone = "conntrack v1.4.7 (conntrack-tools): Operation failed: such conntrack doesn't exist"
  const none = 'conntrack v1.4.7 (conntrack-tools): 0 flow entries have been deleted.'
  expect(await endWith()).toBe(1)
  expect(await endWith(gone, gone)).toBe(3)
  expect(await endWith(gone, none)).toBe(2)
  await expect(endWith('Operation not permitted')).rejects.toThrow('Operation not permitted')
  await expect(endWith(...Array.from({ length: 200 }, () => gone))).rejects.toThrow('such conntrack')
})
