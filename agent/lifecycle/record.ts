import { join } from 'node:path'
import { codeOf, describe } from '../../lib/errors.ts'
import { readSmallFile } from '../../lib/read-file.ts'
import type { Capability } from '../world/capability.ts'
import { capabilityVersion, parseTailscaleVersion, recordName } from '../../wire/capability-version.ts'

/** Its actual size is some hundred bytes. */
const maxBytes = 64 * 1024

type Recorded = { readonly capability: Capability; readonly warnings: readonly string[] }

/** Reads the capability version that was recorded in `directory` when the image was built. */
export async function readRecord(directory: string): Promise<Recorded> {
  const path = join(directory, recordName)
  let problem: string
  try {
    const told = parseTailscaleVersion((await readSmallFile(path, maxBytes)).toString('utf8'))
    if (told !== undefined) return { capability: { recorded: told.cap }, warnings: [] }
    problem = 'it is not what "tailscale version --json" prints'
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return { capability: {}, warnings: [] }
    problem = describe(error)
  }
  return {
    capability: {},
    warnings: [
      `${path} does not tell the capability version of tailscaled, so that ${capabilityVersion} is assumed: ${problem}. Run "culvert check-image --record" in the image’s build.`,
    ],
  }
}
