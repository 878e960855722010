import { readFileSync } from 'node:fs'
import { CulvertError } from '../../../lib/errors.ts'
import { poll } from '../poll.ts'
import { startDetached } from './detached.ts'
import { enter } from './enter.ts'
import { argvOf, childrenOf, identify, type Proc } from './procs.ts'

/**
 * A holder is the first process of new network, mount and process namespaces. It only waits, and reaps orphans; when it
 * is killed, the kernel ends every process inside and removes the namespaces with everything in them.
 */
const fresh = [
  'unshare',
  '--net',
  '--mount',
  '--propagation=private',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
]

const holder = (mark: string): string[] => ['--', 'tini', '-s', '--', 'env', mark, 'sleep', 'infinity']

/** An argument of each holder of a bed, by which the bed's processes are recognised. */
export function marker(bed: string): string {
  return `CULVERT_LAB=${bed}`
}

export type HolderOptions = {
  readonly bed: string
  /** Makes the namespaces within those of this process, so that they end with it. */
  readonly inside?: number
  /** Ends the holder as soon as this process dies, for whatever reason. */
  readonly tied?: boolean
  /** The file for the output of the start. */
  readonly log: string
}

/**
 * Starts a holder and returns its process as seen from outside. Throws CulvertError `privilege` when that is refused.
 */
export async function startHolder(options: HolderOptions): Promise<Proc> {
  const argv = [
    ...(options.tied === true ? ['setpriv', '--pdeathsig', 'KILL', '--'] : []),
    ...(options.inside === undefined ? [] : enter(options.inside)),
    ...fresh,
    ...holder(marker(options.bed)),
  ]
  const starter = startDetached(argv, options.log)
  const pid = await poll('the start of a namespace', () => {
    if (starter.pid === undefined || starter.ended()) throw refused(options.log)
    return firstHolder(starter.pid)
  })
  return identify(pid)
}

/** The holder among the descendants of `pid`, once it runs. */
function firstHolder(pid: number): number | undefined {
  for (const child of childrenOf(pid)) {
    const found = isHolder(argvOf(child)) ? child : firstHolder(child)
    if (found !== undefined) return found
  }
  return undefined
}

/** Whether these are the arguments of a holder: of the given bed, or of any. */
export function isHolder(argv: readonly string[], bed?: string): boolean {
  const at = argv.findIndex((argument) => argument.startsWith('CULVERT_LAB='))
  if (argv[0] !== 'tini' || at === -1) return false
  return bed === undefined || argv[at] === marker(bed)
}

function refused(log: string): CulvertError {
  const output = readFileSync(log, 'utf8').trim().split('\n').slice(-3).join('; ')
  return new CulvertError('privilege', `namespaces could not be made: ${output}`, {
    remedy: 'Run as root with CAP_SYS_ADMIN and CAP_NET_ADMIN (in a container: privileged)',
  })
}
