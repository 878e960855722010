import { CommandError, type Feed, type RunCommand } from '../../lib/command.ts'
import { CulvertError } from '../../lib/errors.ts'
import { type ReadBack, readBack } from './read-back.ts'
import type { Shape } from './chains.ts'
import { renderSkeleton, tableName } from './render.ts'

/** The boundary to the kernel: one transaction in, one listing out. */
export type Nftables = {
  /** Applies one transaction, completely or not at all. */
  readonly load: (transaction: string) => Promise<void>
  /** The same, for one of many in a row. */
  readonly change: (transaction: string) => Promise<void>
  /** The kernel's version of our table; undefined if it does not exist. */
  readonly list: () => Promise<ReadBack | undefined>
}

/** Arguments that make nft apply the transaction on its input. */
export const applyInput = ['-f', '-'] as const

/**
 * nftables through the program `nft`. Every failure is a CulvertError `netfilter` with what nft said. `feed` runs nft
 * with `applyInput`, for changes.
 */
export function nftables(run: RunCommand, feed: Feed = (input) => run('nft', applyInput, { input })): Nftables {
  const told = async (nft: Promise<string>): Promise<string> => {
    try {
      return await nft
    } catch (error) {
      throw unreachable(error)
    }
  }
  return {
    load: async (transaction) => {
      await told(run('nft', applyInput, { input: transaction }))
    },
    change: async (transaction) => {
      await told(feed(transaction))
    },
    list: async () => {
      let listing: string
      try {
        listing = await run('nft', ['-j', 'list', 'table', 'inet', tableName])
      } catch (error) {
        if (isAbsent(error)) return undefined
        throw unreachable(error)
      }
      try {
        return readBack(listing)
      } catch (error) {
        throw new CulvertError('netfilter', 'nft printed a listing that cannot be read', { cause: error })
      }
    },
  }
}

/** Whether the table does not exist: nft has the same exit code for all failures, but its own words for this one. */
export const isAbsent = (error: unknown): boolean =>
  error instanceof CommandError && error.stderr.includes('No such file or directory')

/** Whether `load` failed because the table that was to be created exists. */
export const isPresent = (error: unknown): boolean =>
  error instanceof CulvertError && error.cause instanceof CommandError && error.cause.stderr.includes('File exists')

const unreachable = (cause: unknown): CulvertError =>
  new CulvertError('netfilter', 'the kernel’s rules could not be reached through nft', { cause })

/** A transaction that changes nothing; unlike an empty one it is announced to monitors. */
export async function announceNothing({ load }: Nftables): Promise<void> {
  const scratch = `table inet ${tableName}-monitor`
  await load(`${scratch}\ndelete ${scratch}\n`)
}

/** Checks that these rules can be created here, by creating and deleting them under another name. */
export async function probeNftables({ load }: Nftables, shape: Shape): Promise<void> {
  const scratch = `${tableName}-probe`
  await load(`${renderSkeleton(shape, scratch)}delete table inet ${scratch}\n`)
}
