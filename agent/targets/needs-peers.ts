import type { Settings } from '../settings/settings.ts'

/** Whether anything routes into the tailnet: only then are peers followed. */
export const needsPeers = ({
  tailnetTarget,
  egressServicesDirectory,
}: Pick<Settings, 'tailnetTarget' | 'egressServicesDirectory'>): boolean =>
  tailnetTarget !== undefined || egressServicesDirectory !== undefined
