import { CulvertError } from '../../lib/errors.ts'
import { readRecord } from './record.ts'
import { mountPoints, unusedVolume } from './unused-volume.ts'
import { type Environment, readSettings } from '../settings/read.ts'
import type { Settings } from '../settings/settings.ts'
import { type Capability, chosenBy } from '../world/capability.ts'
import type { DeviceConfig } from '../world/world.ts'

export type Loaded = {
  readonly settings: Settings
  readonly warnings: readonly string[]
  /** tailscaled's config file; undefined unless in one-step mode. */
  readonly config: DeviceConfig | undefined
  /** tailscaled's capability version, as recorded when the image was built. */
  readonly capability: Capability
}

/**
 * Reads the settings, and the config file that they name. `home` is the agent's own directory. A missing file is
 * reported before all other errors, an invalid one after POD_IPS.
 * @throws CulvertError `settings` with the first value that can never work.
 */
export async function loadSettings(env: Environment, home: string): Promise<Loaded> {
  const { capability, warnings: recordWarnings } = await readRecord(`${env['TS_TEST_ONLY_ROOT'] ?? ''}${home}`)
  const directory = env['TS_EXPERIMENTAL_VERSIONED_CONFIG_DIR'] ?? ''
  let config: DeviceConfig | undefined
  let bad: CulvertError | undefined
  if (directory !== '') {
    // Imported on demand: otherwise it is loaded later, while nft waits for the kernel.
    const { findConfigFile, readConfigFile } = await import('../device-config/read.ts')
    const file = await findConfigFile(directory, chosenBy(capability))
    try {
      config = await readConfigFile(file)
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error
      bad = error
    }
  }
  const { settings, warnings } = readSettings(env, bad)
  return {
    settings,
    warnings: [...recordWarnings, ...warnings, ...unusedVolume(settings, mountPoints(settings.root))],
    config,
    capability,
  }
}
