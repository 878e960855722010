import { rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { withAdvertisedServices } from '../../wire/device-config.ts'
import { forwardedServices } from '../forwarding/standing.ts'
import { servedConfig, wantedServe } from '../serve/reconciler.ts'
import type { Settings } from '../settings/settings.ts'
import type { Mounted } from '../world/mounted.ts'
import type { DeviceConfig, EffectiveConfig, World } from '../world/world.ts'

/**
 * The config file, byte for byte, or without the Tailscale Services that nothing is served or forwarded for yet: the
 * tailnet may send clients to this node as soon as tailscaled has read them. What it has once read stays, whatever
 * becomes of it. Undefined unless in one-step mode.
 */
export function effectiveConfig(world: World): EffectiveConfig | undefined {
  const current = world.deviceConfig?.file.content
  if (current === undefined) return undefined
  const waiting = waitingServices(world)
  if (waiting.length === 0) return { bytes: current.bytes, services: current.config.advertiseServices }
  const services = current.config.advertiseServices.filter((name) => !waiting.includes(name))
  return { bytes: withAdvertisedServices(current.path, current.bytes, services), services }
}

/** Tailscale Services of the config file that tailscaled has not been given yet. */
export function waitingServices(world: World): string[] {
  const { settings, deviceConfig } = world
  if (deviceConfig === undefined || !mayWait(settings)) return []
  const read = deviceConfig.read?.services ?? []
  return deviceConfig.file.content.config.advertiseServices.filter(
    (name) => !read.includes(name) && !isCarried(name, world),
  )
}

/** Whether the mounted files can name Tailscale Services that somebody else has this node advertise. */
const mayWait = ({ advertisesServices, serveConfigFile, ingressServicesFile }: Settings): boolean =>
  !advertisesServices && (serveConfigFile !== undefined || ingressServicesFile !== undefined)

/** Whether all that the mounted files say of the Tailscale Service is in place; for one that none names, nothing has to be. */
function isCarried(name: string, world: World): boolean {
  const { settings, mounted } = world
  const wanted = wantedServe(world)
  const isServed = wanted?.Services?.[name] !== undefined
  const isForwarded = mounted.ingressServices?.content?.services.has(name) === true
  if (isServed && Object.keys(servedConfig(world)?.Services?.[name] ?? {}).length === 0) return false
  if (isForwarded && !forwardedServices(world).has(name)) return false
  const unread =
    (settings.serveConfigFile !== undefined && wanted === undefined) ||
    (settings.ingressServicesFile !== undefined && mounted.ingressServices?.content === undefined)
  return isServed || isForwarded || !unread
}

/** Where what tailscaled is to read is kept when it is not the mounted file. */
const copyPath = ({ statusSocket }: Settings): string => join(dirname(statusSocket), 'culvert-handed.hujson')

/**
 * The path to start tailscaled with, which it goes on reading: the mounted file; or a copy where that one was rejected,
 * without which a restarted tailscaled would refuse to start, and where Tailscale Services may have to wait. Readable for
 * this user alone: it may hold an auth key.
 */
export function placeConfig({ content, rejected }: Mounted<DeviceConfig>, bytes: Buffer, settings: Settings): string {
  if (rejected === undefined && !mayWait(settings)) return content.path
  const path = copyPath(settings)
  rmSync(path, { force: true })
  writeFileSync(path, bytes, { mode: 0o600, flag: 'wx' })
  return path
}

/** At the end, so that no key stays. */
export const discardCopy = (settings: Settings): void => rmSync(copyPath(settings), { force: true })

/** Brings a copy to the newest. */
export function refreshCopy(path: string, bytes: Buffer, { content }: Mounted<DeviceConfig>): void {
  if (path !== content.path) writeFileSync(path, bytes, { mode: 0o600 })
}
