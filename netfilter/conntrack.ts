import { families, type Family, parseAddress } from '../lib/address.ts'
import { CommandError, type RunCommand } from '../lib/command.ts'
import { type Ending, familyFlag, planDeletions } from './deletions.ts'
import type { Flow } from './flows.ts'

/** All flows that the kernel tracks in this network namespace. */
export async function listFlows(run: RunCommand): Promise<Flow[]> {
  const lists = families.map(async (family) =>
    parseFlows(family, await run('conntrack', ['-L', '-f', familyFlag(family)])),
  )
  return (await Promise.all(lists)).flat()
}

/**
 * Ends flows: the next packet of a connection gets a reset or another answer, instead of silence on an old path.
 * Rejects with the first failure, once all processes have ended.
 */
export async function endFlows(run: RunCommand, ending: Ending): Promise<void> {
  const rest = planDeletions(ending).values()
  const worker = async (): Promise<void> => {
    for (const deletion of rest) await remove(run, deletion)
  }
  const outcomes = await Promise.allSettled(Array.from({ length: atOnce }, worker))
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}

/** Processes that delete at the same time. */
const atOnce = 4

/** How often conntrack may meet a flow that has just ended. Each run deletes those before it. */
const mostRuns = 100

/** Deletes flows. Some may end by themselves before: conntrack then fails, with its own words for that. */
async function remove(run: RunCommand, deletion: readonly string[]): Promise<void> {
  for (let left = mostRuns; ; left -= 1) {
    try {
      await run('conntrack', ['-D', ...deletion])
      return
    } catch (error) {
      const said = error instanceof CommandError ? error.stderr : ''
      if (said.includes('0 flow entries have been deleted')) return
      // It stops at the first that has ended since it listed them, and leaves the others.
      if (!said.includes('such conntrack doesn') || left === 0) throw error
    }
  }
}

const line =
  /^(\w+) +(\d+) (?:\d+ )?(?:([A-Z_0-9]+) )?.*?src=\S+ dst=(\S+) (?:sport=\d+ dport=(\d+) )?.*?src=(\S+) dst=(\S+) (?:sport=(\d+) dport=\d+ )?(?:.*?\bmark=(\d+) )?/
const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text))

/** Parses `conntrack -L`: each line has the addresses of the original direction first, those of the reply second. */
export function parseFlows(family: Family, listing: string): Flow[] {
  const flows: Flow[] = []
  for (const row of listing.split('\n')) {
    const [name, protocolNumber, state = '', to, port, by, back, from, mark] = line.exec(`${row} `)?.slice(1) ?? []
    const [destination, answeredBy, answeredTo] = [to, by, back].map((text) => parseAddress(text ?? '')?.text)
    const protocol = name === 'unknown' ? protocolNumber : name
    if (protocol === undefined || destination === undefined || answeredBy === undefined || answeredTo === undefined)
      continue
    const ports = { port: number(port), answeredFrom: number(from) }
    const marked = mark !== undefined && mark !== '0' && { mark: Number(mark) }
    const closed = ['TIME_WAIT', 'CLOSE'].includes(state)
    flows.push({ family, protocol, destination, ...ports, answeredBy, answeredTo, closed, ...marked })
  }
  return flows
}
