import { type Header, mostHeaderBytes, parseHeader } from '../cast/header.ts'
import { readTail, type Tail } from '../cast/tail.ts'
import { readRecordingKey } from '../keys.ts'
import type { Readable, Stored } from '../store/store.ts'

/**
 * What is known of a recording without reading it, so that recordings are found; and of a request to an API server, which
 * has the same.
 */
export type Entry = {
  readonly key: string
  /** `open`: it is being written. `cut`: it ends before its session did. `unreadable`: it has no header. */
  readonly state: 'open' | 'whole' | 'cut' | 'unreadable'
  readonly kind: 'ssh' | 'exec' | 'attach' | 'other' | 'request'
  /** When it began, by the recorder's clock if that is known; milliseconds since 1970. */
  readonly began: number
  /** Undefined if that is not known. */
  readonly seconds: number | undefined
  readonly bytes: number
  /** When it was last written to, in milliseconds since 1970. */
  readonly modified: number
  /** The stable ID of the node that was accessed, which has uploaded it. */
  readonly node: string
  /** The device that the session came from, and whose it is: a user or tags. */
  readonly from: string
  readonly who: string
  /** What was accessed: the user of a machine; namespace, Pod and container; or namespace, kind and name. */
  readonly where: string
  /** The beginning of it, if it is long. */
  readonly command: string
}

/** The most of a text that is kept, in characters. */
const mostText = 500

/** The first bytes that are read, which nearly every header fits into. */
const usualHeader = 4096

/** What a recording is, by its key, header and end. */
export function entryOf(
  { key, bytes, modified }: Stored,
  header: Header | undefined,
  { seconds, isCut }: Pick<Tail, 'seconds' | 'isCut'>,
  isOpen = false,
): Entry {
  const { id, began } = readRecordingKey(key)
  const { source, ssh, kubernetes, command = '', timestamp } = header ?? {}
  const state = isOpen ? 'open' : header === undefined ? 'unreadable' : isCut ? 'cut' : 'whole'
  return {
    key,
    state,
    kind: kindOf(header),
    began: began ?? (timestamp === undefined ? modified.getTime() : timestamp * 1000),
    seconds,
    bytes,
    modified: modified.getTime(),
    node: id,
    from: own(source?.node || source?.id || ''),
    who: own(source?.user || source?.tags.join(' ') || ''),
    where: own(
      kubernetes
        ? [kubernetes.namespace, kubernetes.pod, kubernetes.container].join('/')
        : ssh?.localUser || ssh?.user || '',
    ),
    command: own(command),
  }
}

function kindOf(header: Header | undefined): Entry['kind'] {
  if (header?.kubernetes) return header.kubernetes.type === 'attach' ? 'attach' : 'exec'
  return header?.ssh.connection || header?.ssh.user ? 'ssh' : 'other'
}

/** The beginning of a text, in a form that does not keep a longer one in memory, of which it is a part. */
export const own = (text: string): string => Buffer.from(text.slice(0, mostText).toWellFormed()).toString()

/**
 * Reads of a stored recording what its entry has. What cannot be read makes it `unreadable`.
 * @throws Error of the system if the file cannot be read
 */
export async function readEntry(stored: Stored, recording: Readable): Promise<Entry> {
  const tail = await readTail(recording)
  return entryOf(stored, await readHeader(recording), tail)
}

async function readHeader(recording: Readable): Promise<Header | undefined> {
  for (const most of [usualHeader, mostHeaderBytes + 1]) {
    const bytes = await recording.read(0, most)
    const end = bytes.indexOf(0x0a)
    if (end < 0 && bytes.length === most && most === usualHeader) continue
    try {
      return parseHeader(bytes.toString('utf8', 0, end < 0 ? bytes.length : end))
    } catch {
      return undefined
    }
  }
  return undefined
}
