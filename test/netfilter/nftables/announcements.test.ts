import { describe, expect, it } from 'vitest'
import { announcements } from '../../../netfilter/nftables/announcements.ts'
import { changes, elementsOf } from '../../../netfilter/nftables/elements.ts'
import { announcement, outline } from '../../../netfilter/nftables/render.ts'
import { emptyTable } from '../../../netfilter/table.ts'
import { ingressTable } from '../tables.ts'

const list = changes(elementsOf(emptyTable), elementsOf(ingressTable([['100.64.0.1', '10.0.0.9']])))
const ours = { lines: announcement(list), by: 'nft (1)' }
/** The rules of an empty table, as the monitor announces them. */
const rules = outline(emptyTable).flatMap((line) => {
  const [chain, comment] = line.split(': ', 1).concat(line.slice(line.indexOf(': ') + 2))
  return line.includes(': ') ? [`add rule inet culvert ${chain} accept comment "${comment}"`] : []
})
const foreign = { lines: ['delete table inet culvert'], by: 'nft (2)' }

function begun() {
  const reported: (string | undefined)[] = []
  const announced = announcements((by) => void reported.push(by))
  announced.listener.begun()
  reported.length = 0
  return { announced, reported }
}

describe('announcements', () => {
  it('confirm changes that are announced as made', async () => {
    const { announced, reported } = begun()
    const work = async () => announced.listener.generation(ours)
    expect(await announced.confirm(list, work)).toBe(true)
    expect(reported).toEqual([])
  })

  it("confirm nothing when another program's transaction comes between, and report it", async () => {
    const { announced, reported } = begun()
    const work = async () => {
      announced.listener.generation(foreign)
      announced.listener.generation(ours)
    }
    expect(await announced.confirm(list, work)).toBe(false)
    expect(reported).toEqual(['nft (2)'])
  })

  it('recognise rules that we load, once', () => {
    const { announced, reported } = begun()
    announced.expectRules(outline(emptyTable))
    announced.listener.generation({ lines: rules, by: 'nft (1)' })
    announced.listener.generation({ lines: rules, by: 'nft (3)' })
    expect(reported).toEqual(['nft (3)'])
  })

  it('do not count rules that failed to load as ours', () => {
    const { announced, reported } = begun()
    announced.expectRules(outline(emptyTable))()
    announced.listener.generation({ lines: rules, by: 'nft (3)' })
    expect(reported).toEqual(['nft (3)'])
  })

  it('confirm nothing until a monitor has begun', async () => {
    const { announced, reported } = begun()
    announced.listener.ended('exit code 1')
    expect(announced.complete()).toBe(false)
    expect(reported).toEqual([undefined])
    expect(await announced.confirm(list, async () => {})).toBe(false)
    announced.listener.begun()
    expect([announced.complete(), reported]).toEqual([true, [undefined, undefined]])
  })

  it('have missed nothing while a monitor is only being restarted', () => {
    const { announced, reported } = begun()
    announced.listener.ended()
    expect([announced.complete(), reported]).toEqual([false, []])
  })
})
