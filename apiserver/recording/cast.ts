import { StringDecoder } from 'node:string_decoder'
import { exactNumber } from '../../lib/json.ts'
import type { Source } from './event.ts'
import type { Session } from './session.ts'

/** Columns and rows of a terminal. */
export type Size = { readonly width: number; readonly height: number }

/** Of a session without a terminal, or whose size is not known when it begins to write. */
const usual: Size = { width: 80, height: 24 }

/** The channels whose bytes are recorded; each may end in the middle of a character. */
const outputs = ['stdout', 'stderr'] as const
type Output = (typeof outputs)[number]

/**
 * Writes a session as asciicast v2: lines of JSON, a header and then events, with what it printed and the sizes of its
 * terminal. What was typed is not in it. Times are in milliseconds since the session began, those of the file in seconds.
 */
export class Cast {
  readonly #head: (size: Size) => string
  readonly #decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') }
  #hasBegun = false

  constructor(session: Omit<Session, 'protocol'>, caller: Source, began: Date) {
    this.#head = ({ width, height }) => line(headOf(session, caller, began, { width, height }))
  }

  /** The lines for some output; none for the first bytes of a character. */
  output(from: Output, bytes: Buffer, ms: number): string {
    return this.#event('o', this.#decoders[from].write(bytes), ms)
  }

  /** The lines for a size of the terminal. The first, before any output, is that of the header. */
  resize(size: Size, ms: number): string {
    return this.#hasBegun ? this.#event('r', `${size.width}x${size.height}`, ms) : this.#begin(size)
  }

  /** What is left to write when the session is over. */
  end(ms: number): string {
    const rest = outputs.map((one) => this.#event('o', this.#decoders[one].end(), ms)).join('')
    return `${this.#begin(usual)}${rest}`
  }

  #begin(size: Size): string {
    if (this.#hasBegun) return ''
    this.#hasBegun = true
    return this.#head(size)
  }

  #event(kind: 'o' | 'r', text: string, ms: number): string {
    return text === '' ? '' : `${this.#begin(usual)}${line([ms / 1000, kind, text])}`
  }
}

const line = (value: unknown): string => `${JSON.stringify(value)}\n`

/** The fields of the recorder's own contract beside those of asciicast, spelled as it spells them. */
function headOf(
  { type, namespace, pod, container, command }: Omit<Session, 'protocol'>,
  { node, nodeId, identity, userId, tags }: Source,
  began: Date,
  size: Size,
): object {
  return {
    version: 2,
    ...size,
    timestamp: Math.floor(began.getTime() / 1000),
    ...(command.length > 0 && { command: command.join(' ') }),
    srcNode: node,
    srcNodeID: nodeId,
    ...(tags.length > 0 ? { srcNodeTags: tags } : { srcNodeUser: identity.user }),
    ...(userId !== undefined && { srcNodeUserID: exactNumber(userId) }),
    env: null,
    sshUser: '',
    localUser: '',
    connectionID: '',
    kubernetes: { PodName: pod, Namespace: namespace, Container: container, SessionType: type },
  }
}

/** Reads a size as clients send it: `{"Width":80,"Height":24}`, in any case. */
export function readSize(text: string): Size | undefined {
  const [width, height] = ['width', 'height'].map((name) =>
    Number(new RegExp(`"${name}"\\s*:\\s*(\\d{1,5})\\b`, 'i').exec(text)?.[1] ?? 0),
  )
  return width && height ? { width, height } : undefined
}
