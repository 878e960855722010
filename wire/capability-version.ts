import * as z from 'zod/mini'
import { parseJson } from '../lib/json.ts'

/** The tailscaled that the image contains by default, and the tests use. */
export const tailscaleVersion = '1.102.5'

/**
 * Its capability version: the protocol version that it speaks. Operators name config files after it (`cap-142.hujson`)
 * and read it in the state Secret. It counts as long as nothing else is recorded and tailscaled has not answered.
 */
export const capabilityVersion = 142

/** The file beside the agent with the output of `tailscale version --json`, written when the image is built. */
export const recordName = 'tailscale-version.json'

/** The used part of the output of `tailscale version --json`. */
export type TailscaleVersion = { readonly version: string; readonly cap: number }

const capability = z.int().check(z.gte(1))
const schema = z.object({ majorMinorPatch: z.string(), cap: capability })

/** Undefined for anything else. */
export function parseTailscaleVersion(json: string): TailscaleVersion | undefined {
  const { data } = z.safeParse(schema, parseJson(json))
  return data && { version: data.majorMinorPatch, cap: data.cap }
}

/** The value of the header Tailscale-Cap; undefined if it is absent or something else. */
export function parseCapability(text: string | undefined): number | undefined {
  return /^\d+$/.test(text ?? '') ? z.safeParse(capability, Number(text)).data : undefined
}

/** Whether a version, such as `1.102.5-t0123abcd`, is of this release or a later one; undefined if it is none. */
export function isFrom(version: string, release: `${number}.${number}`): boolean | undefined {
  const [major, minor] = numbersOf(version)
  const [wantedMajor = 0, wantedMinor = 0] = numbersOf(release)
  if (major === undefined || minor === undefined) return undefined
  return major === wantedMajor ? minor >= wantedMinor : major > wantedMajor
}

const numbersOf = (version: string): number[] => (/^(\d+)\.(\d+)/.exec(version) ?? []).slice(1).map(Number)

/** Why this version of tailscaled may not work with the agent; undefined for those that docs/image.md lists. */
export function unsupported(version: string): string | undefined {
  if (isFrom(version, '1.80') === true && isFrom(version, '1.105') === false) return undefined
  return `tailscaled ${version} is not one of the versions that this agent supports, 1.80 to 1.104: some things may not work`
}
