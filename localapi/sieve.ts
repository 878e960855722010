import { CulvertError } from '../lib/errors.ts'

/**
 * Which part of a JSON document is kept: `true` for all of it; otherwise the named fields of an object, each with its
 * own rule, or a rule for each element of an array.
 */
export type Keep = true | ReadonlyMap<string, Keep> | Apart

/**
 * For an array or object that may be large: `take` gets `each` of its values as soon as it is complete, although the
 * document may turn out to be invalid later. Only the empty container is kept.
 */
export type Apart = { readonly each: Keep; readonly take: (text: string) => void }

export type Sieve = {
  /** Takes the next bytes of the document, in any pieces. */
  readonly push: (bytes: Buffer) => void
  /**
   * The document, with 0 in place of each value that is not kept; the next one may follow.
   * @throws CulvertError `localapi` when more than the limit would have been kept.
   */
  readonly end: () => string
}

const [quote, backslash, comma, colon] = [0x22, 0x5c, 0x2c, 0x3a]
/** With bit 5 set, `{` and `[` are one byte, and so are `}` and `]`. */
const [bit5, open, close, brace, zero] = [0x20, 0x7b, 0x7d, 0x7b, 0x30]
const initialBytes = 4096

type Container = {
  readonly object: boolean
  readonly keep: Keep
  /** The position of its first value or name in what is kept. */
  readonly start: number
  /** For a container that is taken apart: where its present value begins, and whether it had others. */
  value: number
  several: boolean
}

const isApart = (keep: Keep): keep is Apart => keep !== true && 'each' in keep
const elementOf = (keep: Keep): Keep => (isApart(keep) ? keep.each : keep)

/**
 * Removes unwanted parts of JSON byte by byte as it arrives, so that a netmap of many MB costs neither memory nor a
 * long pause. The result is JSON if the document was; removed parts are not checked. At most `limit` bytes are kept.
 */
export function sieve(keep: Keep, limit: number): Sieve {
  let kept = Buffer.allocUnsafe(initialBytes)
  let size = 0
  let tooMuch = false
  /** Within a string, and after a backslash there. */
  let inString = false
  let escaped = false
  /** Open containers of the kept part, innermost last. */
  let stack: Container[] = []
  let next: Keep | undefined = keep
  let expectsName = false
  let nameStart = -1
  let name = ''
  /** Open containers within the value that is being removed; negative if none is. */
  let cutting = -1

  const reset = (): void => {
    if (kept.length > initialBytes) kept = Buffer.allocUnsafe(initialBytes)
    size = 0
    tooMuch = inString = escaped = expectsName = false
    stack = []
    next = keep
    nameStart = cutting = -1
  }

  const write = (byte: number): void => {
    if (size === limit) {
      tooMuch = true
      return
    }
    if (size === kept.length) kept = Buffer.concat([kept], Math.min(limit, 2 * size))
    kept[size] = byte
    size += 1
  }

  /** Continues to remove from `start`; gives where the value ends, or the end of the bytes. */
  const cut = (bytes: Buffer, start: number): number => {
    let depth = cutting
    let quoted = inString
    let literal = escaped
    let index = start
    for (; index < bytes.length; index += 1) {
      const byte = bytes[index]!
      if (quoted) {
        if (literal) literal = false
        else if (byte === backslash) literal = true
        else if (byte === quote) quoted = false
      } else if (byte === quote) quoted = true
      else if ((byte | bit5) === open) depth += 1
      else if (byte === comma || (byte | bit5) === close) {
        if (depth === 0) break
        if (byte !== comma) depth -= 1
      }
    }
    cutting = index < bytes.length ? -1 : depth
    inString = quoted
    escaped = literal
    return index
  }

  /** Passes on the value that ended before the last byte, and removes it from what is kept. */
  const giveAway = (container: Container, take: Apart['take'], byte: number): void => {
    const text = kept.toString('utf8', container.value, size - 1)
    container.several ||= byte === comma
    if (container.several || text.trim() !== '') take(text)
    size = container.value = container.start
    if (byte !== comma) write(byte)
  }

  const take = (byte: number): void => {
    write(byte)
    if (inString) {
      if (escaped) escaped = false
      else if (byte === backslash) escaped = true
      else if (byte === quote) {
        inString = false
        if (nameStart >= 0) name = kept.toString('utf8', nameStart, size - 1)
        nameStart = -1
      }
      return
    }
    const container = stack.at(-1)
    if (byte === quote) {
      inString = true
      if (expectsName) nameStart = size
      expectsName = false
    } else if ((byte | bit5) === open) {
      const keeps = next ?? true
      stack.push({ object: byte === brace, keep: keeps, start: size, value: size, several: false })
      expectsName = byte === brace
      next = elementOf(keeps)
    } else if ((byte | bit5) === close) {
      if (container !== undefined && isApart(container.keep)) giveAway(container, container.keep.take, byte)
      stack.pop()
      expectsName = false
    } else if (byte === comma && container !== undefined) {
      if (isApart(container.keep)) giveAway(container, container.keep.take, byte)
      expectsName = container.object
      next = elementOf(container.keep)
    } else if (byte === colon && container?.object === true) {
      if (container.value === container.start) container.value = size
      next = container.keep instanceof Map ? container.keep.get(name) : elementOf(container.keep)
      if (next !== undefined) return
      write(zero)
      cutting = 0
    }
  }

  return {
    push: (bytes) => {
      for (let index = 0; index < bytes.length; index += 1) {
        if (tooMuch) return
        if (cutting >= 0) index = cut(bytes, index)
        const byte = bytes[index]
        if (byte !== undefined) take(byte)
      }
    },
    end: () => {
      const text = kept.toString('utf8', 0, size)
      const failed = tooMuch
      reset()
      if (failed)
        throw new CulvertError('localapi', `tailscaled said more than the ${limit} bytes that are kept of a message`)
      return text
    },
  }
}
