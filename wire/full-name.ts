/**
 * Whether `text` can be a full name in a tailnet (agent.md §4): two labels or more, each but the last two of 1 to 63
 * bytes, at most 254 bytes with the trailing dot, which may be missing.
 */
export function isFullName(text: string): boolean {
  const bare = text.replace(/^\.|\.$/g, '')
  const labels = bare.split('.')
  const lengths = labels.map((label) => Buffer.byteLength(label))
  return (
    Buffer.byteLength(bare) <= 253 &&
    labels.length > 1 &&
    lengths.every((length) => length >= 1 && length <= 63) &&
    /^[^\s\p{C}]+$/u.test(bare)
  )
}
