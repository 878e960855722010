import { listed } from '../../lib/some.ts'
import { error, type Finding, ok, warning } from '../../lib/finding.ts'
import type { Change } from './change.ts'
import type { Told } from './rehearse.ts'
import type { Intended } from './tailnet.ts'

/** What came out when the operator worked without changing anything. */
export type Rehearsed = {
  readonly changes: readonly Change[]
  readonly warnings: readonly Told[]
  readonly intended: readonly Intended[]
  /** What failed. */
  readonly problems: readonly string[]
  /** It had nothing to do any more. */
  readonly isComplete: boolean
}

export function judgeRehearsed(found: Rehearsed): readonly Finding[] {
  const { changes, warnings, intended, problems, isComplete } = found
  const named = (what: Intended['what']) => intended.flatMap((one) => (one.what === what ? [one.name] : []))
  const findings: Finding[] = []
  const devices = named('device')
  if (devices.length > 0)
    findings.push(error('devices', `would be removed from the tailnet: ${listed(devices)}`, deviceRemedy))
  const keys = named('key')
  if (keys.length > 0) findings.push(error('keys', `would get a new device: ${listed(keys)}`, deviceRemedy))
  const services = named('remove')
  if (services.length > 0)
    findings.push(error('services', `would be removed from the tailnet: ${listed(services)}`, serviceRemedy))
  if (devices.length + keys.length + services.length === 0)
    findings.push(ok('devices', 'no device and no Tailscale Service would be new or removed'))
  const puts = named('put')
  if (puts.length > 0) findings.push(ok('services', `would be written anew, with their addresses: ${listed(puts)}`))
  // What failed is told by an Event, too.
  for (const { about, reason, message } of warnings.filter(
    (one) => !problems.some((text) => text.includes(one.message)),
  ))
    findings.push(warning('objects', `${about}: ${reason}: ${message}`, 'docs/operator.md says what is different.'))
  for (const text of problems) findings.push(error('rehearsal', text, 'Correct that, and run it again.'))
  if (!isComplete) findings.push(error('rehearsal', 'it is not complete: it took too long', 'Run it again.'))
  const sets = changes.filter(({ replacesPods }) => replacesPods).length
  return [
    ...findings,
    ok('changes', `${counted(changes.length, 'object')}, of which ${sets} StatefulSets replace their Pods`),
  ]
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
const deviceRemedy =
  'Start Tailscale’s operator again until all proxies are ready, and see whether what is named is still asked for.'
const serviceRemedy = 'See whether something still asks for them.'
