import { CulvertError } from '../../../lib/errors.ts'

/** Facts about the machine; gathered by `facts.ts`. */
export type Facts = {
  readonly platform: string
  /** 0 for root. */
  readonly uid: number
  /** Effective capabilities as a bit set. */
  readonly capabilities: bigint
  /** Such as `go1.26.8`; undefined when there is no Go. */
  readonly go: string | undefined
  /** The oldest Go that the parts can be built with, such as `1.26.6`. */
  readonly goNeeded: string
  /** Why /dev/net/tun cannot be opened; undefined when it can. */
  readonly tun: string | undefined
  /** Why new namespaces cannot be created; undefined when they can. */
  readonly namespaces: string | undefined
  /** Why control groups cannot be created, if a cluster is wanted; undefined when they can. */
  readonly cgroups: string | undefined
  readonly missingPackages: readonly string[]
  readonly hasApt: boolean
}

const capability = { CAP_NET_ADMIN: 12n, CAP_NET_RAW: 13n, CAP_SYS_ADMIN: 21n } as const

/** What must be fixed before the lab can work, one line each with its remedy; empty when all is well. */
export function problems(facts: Facts): string[] {
  if (facts.platform !== 'linux') {
    return [
      `this is ${facts.platform}, and the lab is made of Linux namespaces. Run it on Linux, a virtual machine will do`,
    ]
  }
  if (facts.uid !== 0)
    return [`this is user ${facts.uid}, and namespaces with networks need root. Run it as root (sudo)`]
  const found: string[] = []
  const lacking = Object.entries(capability).filter(([, bit]) => ((facts.capabilities >> bit) & 1n) === 0n)
  if (lacking.length > 0) {
    const names = lacking.map(([name]) => name).join(', ')
    found.push(`root lacks ${names} here. In a container, start it privileged`)
  } else if (facts.namespaces !== undefined) {
    found.push(
      `namespaces cannot be made: ${facts.namespaces}. In a container, start it privileged, without a seccomp profile`,
    )
  }
  if (facts.tun !== undefined) {
    found.push(
      `/dev/net/tun does not work: ${facts.tun}. Load the module (modprobe tun), in a container pass --device /dev/net/tun`,
    )
  }
  if (facts.cgroups !== undefined) {
    found.push(
      `control groups cannot be made, which a cluster's nodes need: ${facts.cgroups}. In a container, start it privileged`,
    )
  }
  if (facts.go === undefined) {
    found.push(`there is no Go. Install Go ${facts.goNeeded} or later, and have it in PATH or in /usr/local/go`)
  } else if (!isRecent(facts.go, facts.goNeeded)) {
    found.push(`${facts.go} is too old. Install Go ${facts.goNeeded} or later`)
  }
  if (facts.missingPackages.length > 0 && !facts.hasApt) {
    const names = facts.missingPackages.join(', ')
    found.push(
      `there is no apt-get to install what is missing. Install ${names} with your distribution's package manager`,
    )
  }
  return found
}

function isRecent(version: string, needed: string): boolean {
  const have = numbers(version.replace(/^go/, ''))
  // A development build has no version; assume that it is recent enough.
  if (have.length < 2) return true
  for (const [at, want] of numbers(needed).entries()) {
    const mine = have[at] ?? 0
    if (mine !== want) return mine > want
  }
  return true
}

/** The leading numbers of a version: `1.27rc1` is 1.27. */
function numbers(version: string): number[] {
  return /^[\d.]*/.exec(version)![0].split('.').filter(Boolean).map(Number)
}

/** Throws CulvertError `privilege` with every problem, one on a line. */
export function requirePrerequisites(facts: Facts): void {
  const found = problems(facts)
  if (found.length > 0) throw new CulvertError('privilege', found.join('\n'))
}
