import { readdir } from 'node:fs/promises'
import { CulvertError } from '../../lib/errors.ts'
import { readSmallFile } from '../../lib/read-file.ts'
import { parseDeviceConfig } from '../../wire/device-config.ts'
import type { DeviceConfig } from '../world/world.ts'
import { type Choice, chooseConfigFile } from './choose.ts'

/** A Secret cannot be larger, and kubelet mounts the file from one. */
const maxBytes = 1024 * 1024

/**
 * Chooses the config file in `directory` for a tailscaled of capability version `version`.
 * @throws CulvertError `settings` when the directory cannot be read or has no usable file.
 */
export async function findConfigFile(directory: string, version: number): Promise<Choice> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((cause: unknown) => {
    throw new CulvertError('settings', `the config directory ${directory} cannot be read`, { cause })
  })
  return chooseConfigFile(directory, entries, version)
}

/** @throws CulvertError `settings` when the file cannot be read or is not valid. */
export async function readConfigFile({ path, cap }: Choice): Promise<DeviceConfig> {
  const bytes = await readSmallFile(path, maxBytes).catch((cause: unknown) => {
    throw new CulvertError('settings', `the config file ${path} cannot be read`, { cause })
  })
  return { path, cap, bytes, config: parseDeviceConfig(path, bytes) }
}
