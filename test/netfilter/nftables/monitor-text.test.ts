import { describe, expect, it } from 'vitest'
import { monitorReader } from '../../../netfilter/nftables/monitor-text.ts'

/** What one reader reports of these lines. */
function read(text: string) {
  const reader = monitorReader()
  return text.split('\n').flatMap((line) => reader(line) ?? [])
}

// As printed by nft 1.0.6.
const captured = `add table inet culvert
add chain inet culvert x { type filter hook forward priority filter; policy accept; }
add map inet culvert ports4 { type inet_proto . inet_service : ipv4_addr . inet_service; } 
add set inet culvert own4 { type ipv4_addr; } 
add rule inet culvert x ct state new comment "x: y"
# new generation 2 by process 28424 (nft)
add element inet culvert own4 { 1.2.3.4 }
add element inet culvert own4 { 1.2.3.5 }
add element inet culvert ports4 { tcp . 80 : 1.2.3.4 . 90 }
# new generation 3 by process 28431 (nft)
add table ip other
add table inet culvertx
add element inet culvert own4 { 1.2.3.9 }
# new generation 4 by process 28436 (my nft (2))
`

describe('monitorReader', () => {
  it('gives each transaction with its changes of our table', () => {
    expect(read(captured)).toEqual([
      {
        lines: [
          'add table inet culvert',
          'add chain inet culvert x { type filter hook forward priority filter; policy accept; }',
          'add map inet culvert ports4 { type inet_proto . inet_service : ipv4_addr . inet_service; }',
          'add set inet culvert own4 { type ipv4_addr; }',
          'add rule inet culvert x ct state new comment "x: y"',
        ],
        by: 'nft (28424)',
      },
      {
        lines: [
          'add element inet culvert own4 { 1.2.3.4 }',
          'add element inet culvert own4 { 1.2.3.5 }',
          'add element inet culvert ports4 { tcp . 80 : 1.2.3.4 . 90 }',
        ],
        by: 'nft (28431)',
      },
      { lines: ['add element inet culvert own4 { 1.2.3.9 }'], by: 'my nft (2) (28436)' },
    ])
  })

  it.each([
    ['add table inet culvert-monitor\ndelete table inet culvert-monitor'],
    ['add table ip culvert'],
    ['add table inet other\nadd set inet other culvert { type ipv4_addr; }'],
  ])('gives a transaction that did not change it: %s', (lines) => {
    expect(read(`${lines}\n# new generation 2 by process 22870 (nft)\n`)).toEqual([{ lines: [], by: 'nft (22870)' }])
  })

  it.each([
    ['# ERROR: We lost some netlink events!', 'We lost some netlink events!'],
    ['# ERROR: Bad file descriptor', 'Bad file descriptor'],
  ])('reports %s at once', (line, error) => {
    expect(read(`add table inet culvert\n${line}\nadd table inet culvert`)).toEqual([{ error }])
  })

  it.each([
    ['add element inet culvert own4 { 1.2'],
    ['add table inet culvert\n# new generation 5 by process 12'],
    ['# new generation'],
    ['# ERR'],
    [''],
  ])('reports nothing for an incomplete text: %j', (text) => {
    expect(read(text)).toEqual([])
  })
})
