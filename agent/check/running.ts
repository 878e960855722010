import { declareFindings } from '../../lib/declared-finding.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Finding } from '../../lib/finding.ts'
import type { Agent } from './agent.ts'

export const running = declareFindings('agent', {
  ok: { level: 'ok', text: '{what}', meaning: 'The running agent was asked through its socket.' },
  absent: {
    level: 'error',
    text: 'no agent answers on {socket}: {problem}',
    remedy:
      'See the log of the container; if it has not started yet, check with --preflight. CULVERT_SOCKET or --culvert-socket names the socket.',
    meaning: 'The socket of the agent was asked for its status. What only the running agent knows is not checked then.',
  },
  failing: {
    level: 'error',
    text: '{name} is {state}: {reason}',
    remedy: 'docs/operations.md says for each check what to do.',
    meaning: 'A check of the agent’s state, as `culvert status` shows it.',
  },
  keyExpires: {
    level: 'warning',
    text: 'the key of the node expires at {at}',
    remedy:
      'Give the node a tag, since tagged nodes have keys that do not expire, or disable key expiry for it in the admin console.',
    meaning:
      'Told from a week before on. Then nobody reaches the node until it logs in again, which the agent does by itself only with an auth key that is still good.',
  },
  health: {
    level: 'warning',
    text: 'tailscaled warns: {text}',
    remedy: 'As it says.',
    meaning: 'A health warning of tailscaled.',
  },
})

/** From when on it is told that the key of the node expires, in days. */
const warnDays = 7

type Told = Pick<Agent['status'], 'checks' | 'tailscaled' | 'node'>

export function judgeAgent({ status }: { readonly status: Told }, { date }: Pick<Clock, 'date'>): readonly Finding[] {
  const expires = new Date(status.node.keyExpiry ?? Number.NaN)
  const days = Math.round((expires.getTime() - date().getTime()) / 86_400_000)
  const found = [
    ...Object.entries(status.checks).flatMap(([name, { state, reason }]) =>
      state === 'ok' ? [] : [running.failing({ name, state, reason: reason ?? 'it does not say why' })],
    ),
    ...status.tailscaled.health.map((text) => running.health({ text })),
    ...(days < warnDays ? [running.keyExpires({ at: expires.toISOString() })] : []),
  ]
  return found.length > 0 ? found : [running.ok({ what: `it is ready, as ${status.node.addresses.join(' and ')}` })]
}
