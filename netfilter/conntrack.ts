import { families, type Family, parseAddress } from '../lib/address.ts'
import type { RunCommand } from '../lib/command.ts'
import type { Translation } from './table.ts'

const familyFlag = (family: Family): string => (family === 4 ? 'ipv4' : 'ipv6')

/** One tracked flow: whom it was addressed to, and who answers it. */
type Flow = { readonly protocol: string; readonly destination: string; readonly answeredBy: string }

/** Ends established flows of translations: their next packet meets a reset, instead of silence on an old path. */
export const endTranslatedFlows = (run: RunCommand, ended: readonly Translation[]): Promise<void> =>
  deleteFlows(run, ended, ({ own, backend }) => ({ destination: own, answeredBy: backend }))

/**
 * Ends UDP flows to own addresses that began before their rule existed: conntrack would keep them untranslated for as
 * long as the client goes on sending.
 */
export const endUntranslatedFlows = (run: RunCommand, added: readonly Translation[]): Promise<void> =>
  deleteFlows(run, added, ({ own }) => ({ protocol: 'udp', destination: own, answeredBy: own }))

/**
 * Deletes the flows of each translation. A deletion makes the kernel go through all its flows, as a listing does: so
 * they are listed once, and only what is there is deleted.
 */
async function deleteFlows(
  run: RunCommand,
  translations: readonly Translation[],
  flowOf: (translation: Translation) => Omit<Flow, 'protocol'> & Partial<Flow>,
): Promise<void> {
  const key = ({ destination, answeredBy }: Omit<Flow, 'protocol'>): string => `${destination} ${answeredBy}`
  const deleteFamily = async (family: Family): Promise<void> => {
    const wanted = translations.filter((translation) => translation.family === family).map(flowOf)
    if (wanted.length === 0) return
    const present = new Set(parseFlows(await run('conntrack', ['-L', '-f', familyFlag(family)])).map(key))
    for (const flow of wanted.filter((candidate) => present.has(key(candidate)))) {
      const protocol = flow.protocol === undefined ? [] : ['-p', flow.protocol]
      const filter = [
        '-f',
        familyFlag(family),
        ...protocol,
        '--orig-dst',
        flow.destination,
        '--reply-src',
        flow.answeredBy,
      ]
      await run('conntrack', ['-D', ...filter]).catch(unlessNone)
    }
  }
  await Promise.all(families.map(deleteFamily))
}

/** Flows may end by themselves meanwhile; exit code 1 with this text is conntrack's way to say that there was none. */
function unlessNone(error: unknown): void {
  if (!(error instanceof Error && error.message.includes('0 flow entries have been deleted'))) throw error
}

/** Reads `conntrack -L`: each line has the original direction's addresses first, the reply's second. */
export function parseFlows(listing: string): Flow[] {
  const flows: Flow[] = []
  for (const line of listing.split('\n')) {
    const [protocol, originalDestination, answeredBy] =
      /^(\w+) .*? ?src=\S+ dst=(\S+) .*? ?src=(\S+) dst=\S+/.exec(line)?.slice(1) ?? []
    const destination = parseAddress(originalDestination ?? '')?.text
    const source = parseAddress(answeredBy ?? '')?.text
    if (protocol === undefined || destination === undefined || source === undefined) continue
    flows.push({ protocol, destination, answeredBy: source })
  }
  return flows
}
