import type { Settings } from '../settings/settings.ts'

/** Whether this agent forwards in the kernel at all; otherwise it needs neither NET_ADMIN nor nft. */
export const forwards = ({ settings }: { readonly settings: Settings }): boolean =>
  (!settings.userspace && (settings.targets.length > 0 || settings.targetName !== undefined)) ||
  settings.tailnetTarget !== undefined ||
  settings.viaIngress.length > 0 ||
  settings.egressServicesDirectory !== undefined ||
  settings.ingressServicesFile !== undefined
