import { type Family, familyName } from '../../lib/address.ts'
import { declareFindings } from '../../lib/declared-finding.ts'
import type { Finding } from '../../lib/finding.ts'
import { forwardingOf, forwardingRemedy, kernelFamilies } from '../../netfilter/sysctl.ts'
import type { Settings } from '../settings/settings.ts'
import type { Look } from './looking.ts'

export const forwarding = declareFindings('forwarding', {
  ok: { level: 'ok', text: '{what}', meaning: 'The kernel forwards what is needed, or the agent will make it do so.' },
  off: {
    level: 'error',
    text: 'the kernel does not forward {family}, as /proc/sys says, and the agent may not change that',
    remedy: '{remedy}',
    meaning: 'Without it, the kernel drops each packet that is not for the Pod itself.',
  },
  partly: {
    level: 'warning',
    text: 'the kernel does not forward {family}, so that targets have no traffic of that family',
    remedy: '{remedy}',
    meaning: 'One family is enough for names and groups, whose targets may have both.',
  },
  lost: {
    level: 'error',
    text: 'the kernel does not forward {family} any more, although the agent switched that on at its start',
    remedy:
      'Find what has written to /proc/sys since, such as another container or a program that sets sysctls; then restart the Pod.',
    meaning: 'Read from /proc/sys beside the running agent.',
  },
})

type State = { readonly family: Family; readonly state: 'on' | 'off' | 'fixed' }

export const lookAtForwarding: Look = async ({ settings, agent }) => {
  const states: State[] = []
  for (const family of await kernelFamilies(settings.root))
    states.push({ family, state: await forwardingOf(settings.root, family) })
  return judgeForwarding(states, settings, agent !== undefined)
}

type Wanted = Pick<Settings, 'userspace' | 'forwardedFamilies' | 'advertisedFamilies' | 'forwardsAny'>

export function judgeForwarding(states: readonly State[], settings: Wanted, isRunning: boolean): readonly Finding[] {
  const needs = ({ family }: State): boolean => settings.forwardedFamilies.includes(family)
  const uses = (one: State): boolean =>
    needs(one) || settings.forwardsAny || settings.advertisedFamilies.includes(one.family)
  const used = settings.userspace ? [] : states.filter(uses)
  if (used.length === 0) return [forwarding.ok({ what: 'nothing is forwarded in the kernel' })]
  const isMissing = ({ state }: State): boolean => state === 'fixed' || (state === 'off' && isRunning)
  const missing = used.filter(isMissing)
  const isHopeless = !isRunning && missing.length === used.length
  const found = missing.map((one) => {
    const { family } = one
    const fields = { family: familyName(family), remedy: forwardingRemedy(family) }
    if (needs(one)) return isRunning ? forwarding.lost(fields) : forwarding.off(fields)
    return isHopeless ? forwarding.off(fields) : forwarding.partly(fields)
  })
  if (found.length > 0) return found
  const how = used.map(
    ({ family, state }) => `${familyName(family)} is ${state === 'on' ? 'on' : 'off, and the agent switches it on'}`,
  )
  return [forwarding.ok({ what: how.join(', ') })]
}
