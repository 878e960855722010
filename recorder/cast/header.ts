import { isJsonObject, type JsonObject, parseJson } from '../../lib/json.ts'

/** What the first line of a recording says: asciicast v2, with the fields that Tailscale adds. Texts may be empty. */
export type Header = {
  readonly width: number
  readonly height: number
  /** When the session began by the uploader's clock, in seconds since 1970; undefined if it does not say. */
  readonly timestamp: number | undefined
  readonly command: string
  /** The device that the session came from, its user or its tags, all as the uploader says. */
  readonly source: {
    readonly node: string
    readonly id: string
    readonly user: string
    readonly tags: readonly string[]
  }
  /** Of a session of SSH: the name that was asked for, and the user of the machine. */
  readonly ssh: { readonly user: string; readonly localUser: string; readonly connection: string }
  /** Of a session in a container of a Pod. */
  readonly kubernetes:
    | { readonly type: string; readonly namespace: string; readonly pod: string; readonly container: string }
    | undefined
}

/** The most that a header may have, in bytes: some commands are long. */
export const mostHeaderBytes = 1024 * 1024

/**
 * Reads the first line of a recording. Fields of another type than documented count as absent.
 * @throws Error if it is no header of asciicast v2
 */
export function parseHeader(line: string): Header {
  const all = parseJson(line)
  if (!isJsonObject(all)) throw new Error('it does not begin with a header of asciicast, which is an object of JSON')
  const { version } = all
  if (version !== 2)
    throw new Error(`it is not asciicast v2: its version is ${typeof version === 'number' ? version : 'missing'}`)
  const kubernetes = all['kubernetes']
  return {
    width: size(all['width']),
    height: size(all['height']),
    timestamp: seconds(all['timestamp']),
    command: textIn(all, 'command'),
    source: {
      node: textIn(all, 'srcNode'),
      id: textIn(all, 'srcNodeID'),
      user: textIn(all, 'srcNodeUser'),
      tags: textsIn(all, 'srcNodeTags'),
    },
    ssh: { user: textIn(all, 'sshUser'), localUser: textIn(all, 'localUser'), connection: textIn(all, 'connectionID') },
    kubernetes: isJsonObject(kubernetes)
      ? {
          // Before 1.88, only commands were recorded, and this field was not there.
          type: textIn(kubernetes, 'SessionType') || 'exec',
          namespace: textIn(kubernetes, 'Namespace'),
          pod: textIn(kubernetes, 'PodName'),
          container: textIn(kubernetes, 'Container'),
        }
      : undefined,
  }
}

/** A time that a date can have, in seconds since 1970. */
const seconds = (value: unknown): number | undefined =>
  typeof value === 'number' && value > 0 && value < 1e11 ? value : undefined

/** A text of an object; empty if it is absent or something else. */
export function textIn(object: JsonObject, name: string): string {
  const value = object[name]
  return typeof value === 'string' ? value : ''
}

const size = (value: unknown): number =>
  typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 100_000 ? value : 0

/** The texts of a list in an object; none if it is absent or something else. */
export function textsIn(object: JsonObject, name: string): string[] {
  const value = object[name]
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === 'string') : []
}
