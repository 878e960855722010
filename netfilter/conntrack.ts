import { families, type Family, parseAddress } from '../lib/address.ts'
import type { RunCommand } from '../lib/command.ts'
import type { Flow } from './flows.ts'

const familyFlag = (family: Family): string => (family === 4 ? 'ipv4' : 'ipv6')

/** All flows that the kernel tracks in this network namespace. */
export async function listFlows(run: RunCommand): Promise<Flow[]> {
  const lists = families.map(async (family) =>
    parseFlows(family, await run('conntrack', ['-L', '-f', familyFlag(family)])),
  )
  return (await Promise.all(lists)).flat()
}

/**
 * Ends flows: the next packet of a connection meets a reset or another answer, instead of silence on an old path. A
 * deletion makes the kernel go through all its flows, so those that differ only in the client are deleted at once.
 */
export async function endFlows(run: RunCommand, flows: readonly Flow[]): Promise<void> {
  const filters = new Map(flows.map((flow) => [filterOf(flow).join(' '), filterOf(flow)]))
  for (const filter of filters.values()) await run('conntrack', ['-D', ...filter]).catch(unlessNone)
}

function filterOf({ family, protocol, destination, port, answeredBy, answeredTo }: Flow): string[] {
  return [
    '-f',
    familyFlag(family),
    '--orig-dst',
    destination,
    ...(protocol === 'unknown' ? [] : ['-p', protocol]),
    ...(port === undefined ? [] : ['--orig-port-dst', String(port)]),
    '--reply-src',
    answeredBy,
    // Where an answer goes to a client, it is one of many.
    ...(answeredBy === destination ? [] : ['--reply-dst', answeredTo]),
  ]
}

/** Flows may end by themselves meanwhile; exit code 1 with this text is conntrack's way to say that there was none. */
function unlessNone(error: unknown): void {
  if (!(error instanceof Error && error.message.includes('0 flow entries have been deleted'))) throw error
}

const line =
  /^(\w+) +\d+ (?:\d+ )?(?:([A-Z_0-9]+) )?.*?src=\S+ dst=(\S+) (?:sport=\d+ dport=(\d+) )?.*?src=(\S+) dst=(\S+) (?:sport=(\d+) dport=\d+ )?/
const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text))

/** Reads `conntrack -L`: each line has the original direction's addresses first, the reply's second. */
export function parseFlows(family: Family, listing: string): Flow[] {
  const flows: Flow[] = []
  for (const row of listing.split('\n')) {
    const [protocol, state = '', to, port, by, back, from] = line.exec(`${row} `)?.slice(1) ?? []
    const [destination, answeredBy, answeredTo] = [to, by, back].map((text) => parseAddress(text ?? '')?.text)
    if (protocol === undefined || destination === undefined || answeredBy === undefined || answeredTo === undefined)
      continue
    const ports = { port: number(port), answeredFrom: number(from) }
    const closed = ['TIME_WAIT', 'CLOSE'].includes(state)
    flows.push({ family, protocol, destination, ...ports, answeredBy, answeredTo, closed })
  }
  return flows
}
