import type { Family } from '../lib/address.ts'
import type { RunCommand } from '../lib/command.ts'
import type { Translation } from './table.ts'

const familyFlag = (family: Family): string => (family === 4 ? 'ipv4' : 'ipv6')

/** Ends established flows of one translation: the next packet meets a reset, instead of silence on an old path. */
export const endTranslatedFlows = (run: RunCommand, { family, own, backend }: Translation): Promise<void> =>
  deleteFlows(run, ['-f', familyFlag(family), '--orig-dst', own, '--reply-src', backend])

/**
 * Ends UDP flows to an own address that began before its rule existed: conntrack would keep them untranslated for as
 * long as the client goes on sending.
 */
export const endUntranslatedFlows = (run: RunCommand, { family, own }: Translation): Promise<void> =>
  deleteFlows(run, ['-f', familyFlag(family), '-p', 'udp', '--orig-dst', own, '--reply-src', own])

async function deleteFlows(run: RunCommand, filter: readonly string[]): Promise<void> {
  try {
    await run('conntrack', ['-D', ...filter])
  } catch (error) {
    // Exit code 1 with this text is its way to say that there was none.
    if (!(error instanceof Error && error.message.includes('0 flow entries have been deleted'))) throw error
  }
}
