import { expect, it } from 'vitest'
import { readCaller } from '../../apiserver/caller.ts'
import { OpenRequests } from '../../apiserver/open-requests.ts'
import { Refused } from '../../apiserver/refused.ts'
import { parseAddress } from '../../lib/address.ts'
import { VirtualClock } from '../lib/virtual-clock.ts'
import { aWhois, granting, groups } from './a-whois.ts'

const callerAt = (address: string, ...granted: readonly string[]) =>
  readCaller(aWhois(address, { capMap: granting(groups(...granted)) }), parseAddress(address)!, new Date(0))

/** Three open requests of two peers, and what became of each. */
function opened() {
  const clock = new VirtualClock()
  const open = new OpenRequests(clock)
  const ends: string[] = []
  const begin = (name: string, address: string) => {
    const origin = { address: parseAddress(address)!, port: 1 }
    const end = (why: string): void => {
      ends.push(`${name}: ${why}`)
      close()
    }
    const close = open.add({
      kind: 'watch',
      origin,
      caller: callerAt(address, 'a'),
      end,
      finish: () => end('finished'),
    })
    return close
  }
  const closes = [begin('one', '100.64.0.1'), begin('another', '100.64.0.1'), begin('other', '100.64.0.2')]
  return { clock, open, ends, closes }
}

const fewer = 'the policy grants this device less than before'

it('all requests of a peer end that has lost a group, and those of others go on', async () => {
  const { open, ends } = opened()
  await open.recheck({ at: async ({ text }) => callerAt(text, ...(text.endsWith('.2') ? ['a'] : [])) })
  expect(ends).toEqual([`one: ${fewer}`, `another: ${fewer}`])
  expect(open.count('watch')).toBe(1)
})

it('all requests of a peer end that is not in the tailnet any more', async () => {
  const { open, ends } = opened()
  const at = async ({ text }: { readonly text: string }) => {
    if (text.endsWith('.2')) throw new Refused(403, 'unknown-peer', 'gone')
    return callerAt(text, 'a')
  }
  await open.recheck({ at })
  expect(ends).toEqual(['other: gone'])
})

it('while nobody can be confirmed, requests go on for half a minute', async () => {
  const { open, ends, clock } = opened()
  const nobody = async () => {
    throw new Refused(503, 'unconfirmed-peer', 'unknown')
  }
  await clock.advance(20_000)
  await open.recheck({ at: nobody })
  expect(ends).toEqual([])
  await open.recheck({ at: async ({ text }) => callerAt(text, 'a') })
  await clock.advance(29_999)
  await open.recheck({ at: nobody })
  expect(ends).toEqual([])
  await clock.advance(1)
  await open.recheck({ at: nobody })
  expect(ends).toEqual(['one: unknown', 'another: unknown', 'other: unknown'])
})

it('each peer is asked about once', async () => {
  const { open } = opened()
  const asked: string[] = []
  const at = async ({ text }: { readonly text: string }) => {
    asked.push(text)
    return callerAt(text, 'a')
  }
  await open.recheck({ at })
  expect(asked).toEqual(['100.64.0.1', '100.64.0.2'])
})

it('they are empty when the last one is closed', async () => {
  const { open, closes } = opened()
  let isEmpty = false
  const empty = open.empty().then(() => (isEmpty = true))
  closes[0]!()
  closes[1]!()
  await Promise.resolve()
  expect(isEmpty).toBe(false)
  closes[2]!()
  await empty
  await open.empty()
})
