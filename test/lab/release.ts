import { isFrom, tailscaleVersion } from '../../wire/capability-version.ts'

/** The release of tailscaled that beds have; projects in vitest.config.ts run the same tests with another one. */
export const release = process.env['CULVERT_TEST_TAILSCALED'] ?? tailscaleVersion

/** Whether it is this release or a later one. */
export const isSince = (wanted: `${number}.${number}`): boolean => isFrom(release, wanted) === true

/** Whether it passes on packets for the Tailscale Services that it hosts. */
export const hostsServices = isSince('1.82')
