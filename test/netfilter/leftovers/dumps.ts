import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The versions of nft that the project has to read: Debian 12's, and that of the agent's image. */
export const versions = ['1.0.6', '1.1.3'] as const

/** What upstream's agent leaves, as listed by nft; capture.ts made it. */
export const dump = (name: 'l3' | 'groups', version: (typeof versions)[number]): string =>
  readFileSync(join(import.meta.dirname, 'dumps', `${name}-${version}.txt`), 'utf8')
