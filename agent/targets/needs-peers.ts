import type { Settings } from '../settings/settings.ts'

/** Whether anything leads into the tailnet: only then is it followed who else is there. */
export const needsPeers = ({
  tailnetTarget,
  egressServicesDirectory,
}: Pick<Settings, 'tailnetTarget' | 'egressServicesDirectory'>): boolean =>
  tailnetTarget !== undefined || egressServicesDirectory !== undefined
