import { describe } from '../../lib/errors.ts'
import { declareFindings } from '../../lib/declared-finding.ts'
import type { Finding } from '../../lib/finding.ts'
import { checkTun, requireNetAdmin } from '../lifecycle/preflight.ts'
import type { Look } from './looking.ts'

export const rights = declareFindings('rights', {
  ok: { level: 'ok', text: '{what}', meaning: 'The container has what kernel mode needs, or needs nothing.' },
  netAdmin: {
    level: 'error',
    text: '{problem}',
    meaning:
      'Read from the capabilities of the process. Without NET_ADMIN, neither tailscaled nor the agent can set up a device and rules.',
  },
  tun: {
    level: 'error',
    text: '{problem}',
    meaning: 'The device was opened, which failed. The node has no driver for it, or the container may not use it.',
  },
})

export const lookAtRights: Look = async ({ settings }) => {
  if (settings.userspace) return [rights.ok({ what: 'without a TUN device (TS_USERSPACE=true), none are needed' })]
  const found: Finding[] = []
  const failed = async (look: () => unknown): Promise<unknown> => {
    try {
      await look()
      return undefined
    } catch (error) {
      return error
    }
  }
  let state = ''
  const netAdmin = await failed(requireNetAdmin)
  if (netAdmin !== undefined) found.push(rights.netAdmin({ problem: netAdmin }))
  const tun = await failed(async () => (state = await checkTun(settings.root)))
  if (tun !== undefined) found.push(rights.tun({ problem: tun }))
  return found.length > 0
    ? found
    : [rights.ok({ what: `NET_ADMIN is granted, and /dev/net/tun is ${describe(state)}` })]
}
