import { readFileSync } from 'node:fs'
import { CulvertError } from '../../../lib/errors.ts'
import { poll } from '../poll.ts'
import { startDetached } from './detached.ts'
import { enter } from './enter.ts'
import { argvOf, childrenOf, identify, type Proc } from './procs.ts'

/**
 * A holder is the first process of new network, mount and process namespaces. It does nothing but wait and reap;
 * when it is killed, the kernel ends every process inside and removes the namespaces with all that they hold.
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

/** How a bed's own processes are told from all others: an argument of each of its holders. */
export function marker(bed: string): string {
  return `CULVERT_LAB=${bed}`
}

export type HolderOptions = {
  readonly bed: string
  /** Makes the namespaces inside those of this process, so that they end with it. */
  readonly inside?: number
  /** Ends the holder as soon as this process dies, however it dies. */
  readonly tied?: boolean
  /** What the start prints goes to this file. */
  readonly log: string
}

/** Starts a holder and returns it as it is seen from outside. Throws CulvertError `privilege` when that is refused. */
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

/** True for the arguments of a holder: of the given bed, or of any. */
export function isHolder(argv: readonly string[], bed?: string): boolean {
  const at = argv.findIndex((argument) => argument.startsWith('CULVERT_LAB='))
  if (argv[0] !== 'tini' || at === -1) return false
  return bed === undefined || argv[at] === marker(bed)
}

function refused(log: string): CulvertError {
  const said = readFileSync(log, 'utf8').trim().split('\n').slice(-3).join('; ')
  return new CulvertError('privilege', `namespaces could not be made: ${said}`, {
    remedy: 'Run as root with CAP_SYS_ADMIN and CAP_NET_ADMIN (in a container: privileged)',
  })
}
