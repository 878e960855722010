import { declareFindings } from '../../lib/declared-finding.ts'
import type { Finding } from '../../lib/finding.ts'
import type { Agent, Look } from './looking.ts'

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
  health: {
    level: 'warning',
    text: 'tailscaled warns: {text}',
    remedy: 'As it says.',
    meaning: 'A health warning of tailscaled.',
  },
})

export const lookAtAgent: Look = async ({ agent }) =>
  agent === undefined ? [running.ok({ what: 'it is not asked, before its start' })] : judgeAgent(agent)

export function judgeAgent({ status }: Pick<Agent, 'status'>): readonly Finding[] {
  const found = [
    ...Object.entries(status.checks).flatMap(([name, { state, reason }]) =>
      state === 'ok' ? [] : [running.failing({ name, state, reason: reason ?? 'it does not say why' })],
    ),
    ...status.tailscaled.health.map((text) => running.health({ text })),
  ]
  return found.length > 0 ? found : [running.ok({ what: `it is ready, as ${status.node.addresses.join(' and ')}` })]
}
