/** The most of a recording that is loaded, in bytes: a browser has to hold all of it. */
export const mostBytes = 64 * 1024 * 1024

/** What has been loaded of a recording so far. */
export type Loaded = {
  readonly text: string
  /** How many bytes of the file that is. */
  readonly bytes: number
  /** Whether nothing was left out since it is too large. */
  readonly isWhole: boolean
  /** Whether the session goes on, so that there will be more. */
  readonly goesOn: boolean
}

export const nothing: Loaded = { text: '', bytes: 0, isWhole: true, goesOn: true }

/** Loads what follows, up to so many bytes in all; without the last line then, if it is not all there. */
export async function loadMore(address: string, before: Loaded): Promise<Loaded> {
  const response = await fetch(`${address}?from=${before.bytes}`)
  if (!response.ok || !response.body) throw new Error(`the recorder answers ${response.status}`)
  const decoder = new TextDecoder()
  const reader = response.body.getReader()
  let { text, bytes } = before
  for (;;) {
    const { done, value } = await reader.read()
    if (done) {
      const goesOn = response.headers.get('culvert-recording') === 'open'
      return { text: text + decoder.decode(), bytes, isWhole: true, goesOn }
    }
    bytes += value.length
    text += decoder.decode(value, { stream: true })
    if (bytes < mostBytes) continue
    await reader.cancel()
    return { text: text.slice(0, text.lastIndexOf('\n') + 1), bytes, isWhole: false, goesOn: false }
  }
}
