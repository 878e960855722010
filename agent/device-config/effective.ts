import { rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { withAdvertisedServices } from '../../wire/device-config.ts'
import { forwardedServices } from '../forwarding/standing.ts'
import { servedConfig } from '../serve/reconciler.ts'
import { wantedServe } from '../serve/wanted.ts'
import type { Settings } from '../settings/settings.ts'
import type { Mounted } from '../world/mounted.ts'
import type { DeviceConfig, EffectiveConfig, World } from '../world/world.ts'

/**
 * The config that tailscaled gets in one-step mode: the file byte for byte, or without those Tailscale Services for
 * which nothing is served or forwarded yet, since the tailnet may send clients as soon as tailscaled has read them. A
 * Service that tailscaled has read once stays in it. Undefined in other modes.
 */
export function effectiveConfig(world: World): EffectiveConfig | undefined {
  const current = world.deviceConfig?.file.content
  if (current === undefined) return undefined
  const waiting = waitingServices(world)
  if (waiting.length === 0) return { bytes: current.bytes, services: current.config.advertiseServices }
  const services = current.config.advertiseServices.filter((name) => !waiting.includes(name))
  return { bytes: withAdvertisedServices(current.path, current.bytes, services), services }
}

/** Tailscale Services of the config file that are still withheld from tailscaled. */
export function waitingServices(world: World): string[] {
  const { settings, deviceConfig } = world
  if (deviceConfig === undefined || !mayWait(settings)) return []
  const read = deviceConfig.read?.services ?? []
  return deviceConfig.file.content.config.advertiseServices.filter(
    (name) => !read.includes(name) && !isCarried(name, world),
  )
}

/** Whether mounted files can name Tailscale Services that the config file advertises. */
const mayWait = ({ advertisesServices, serveConfigFile, ingressServicesFile }: Settings): boolean =>
  !advertisesServices && (serveConfigFile !== undefined || ingressServicesFile !== undefined)

/**
 * Whether everything that the mounted files say about the Tailscale Service is in place; true if they do not name it.
 */
function isCarried(name: string, world: World): boolean {
  const { settings, mounted } = world
  const wanted = wantedServe(world)
  const isServed = wanted?.Services?.[name] !== undefined
  const isForwarded = mounted.ingressServices?.content?.services.has(name) === true
  if (isServed && Object.keys(servedConfig(world)?.Services?.[name] ?? {}).length === 0) return false
  if (isForwarded && !forwardedServices(world).has(name)) return false
  const isRejected = [mounted.serveConfig, mounted.ingressServices].some((file) =>
    file?.content?.rejections.some(({ entry }) => entry === name),
  )
  const unread =
    (settings.serveConfigFile !== undefined && wanted === undefined) ||
    (settings.ingressServicesFile !== undefined && mounted.ingressServices?.content === undefined)
  return isServed || isForwarded || !(unread || isRejected)
}

/** Where the effective config is kept when it differs from the mounted file. */
const copyPath = ({ statusSocket }: Settings): string => join(dirname(statusSocket), 'culvert-handed.hujson')

/**
 * The path that tailscaled is started with and keeps reading: the mounted file; or a copy, if the mounted file was
 * rejected (a restarted tailscaled would refuse to start) or if Tailscale Services may have to be withheld. The copy is
 * readable by this user alone, since it may hold an auth key.
 */
export function placeConfig({ content, rejected }: Mounted<DeviceConfig>, bytes: Buffer, settings: Settings): string {
  if (rejected === undefined && !mayWait(settings)) return content.path
  const path = copyPath(settings)
  rmSync(path, { force: true })
  writeFileSync(path, bytes, { mode: 0o600, flag: 'wx' })
  return path
}

/** At the end, so that no key is left behind. */
export const discardCopy = (settings: Settings): void => rmSync(copyPath(settings), { force: true })

/** Writes the current config to the copy. */
export function refreshCopy(path: string, bytes: Buffer, { content }: Mounted<DeviceConfig>): void {
  if (path !== content.path) writeFileSync(path, bytes, { mode: 0o600 })
}
