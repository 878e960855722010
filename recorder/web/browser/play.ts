// The only script of the web page: plays the recording whose address the page has.
import { create, type Player } from 'asciinema-player'
import { type Playable, playable, transcript } from '../../cast/playable.ts'

/** The most of a recording that is loaded, in bytes: a browser has to hold all of it. */
const mostBytes = 64 * 1024 * 1024
/** The most of its text that is shown, in characters. */
const mostText = 2 * 1024 * 1024
/** Pauses are shortened to so many seconds, if they are to be. */
const pauseSeconds = 2

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.querySelector(`#${id}`)
  if (!(found instanceof type)) throw new Error(`the page has no ${id}`)
  return found
}

const place = element('player', HTMLDivElement)
const status = element('status', HTMLParagraphElement)
const speed = element('speed', HTMLSelectElement)
const idle = element('idle', HTMLInputElement)
const asText = element('transcript', HTMLDetailsElement)

/** Loads the beginning of a file, up to so many bytes; without the last line, if it is not all there. */
async function load(address: string, most: number): Promise<{ readonly text: string; readonly isWhole: boolean }> {
  const response = await fetch(address)
  if (!response.ok || !response.body) throw new Error(`the recorder answers ${response.status}`)
  const decoder = new TextDecoder()
  const reader = response.body.getReader()
  let [text, bytes] = ['', 0]
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return { text: text + decoder.decode(), isWhole: true }
    bytes += value.length
    text += decoder.decode(value, { stream: true })
    if (bytes < most) continue
    await reader.cancel()
    return { text: text.slice(0, text.lastIndexOf('\n') + 1), isWhole: false }
  }
}

/** Shows a player in place of the one before; it goes on where that was, if pauses are as they were. */
function show({ header, events }: Playable, before?: { readonly player: Player; readonly isPlaying: boolean }): Player {
  const from = before?.player.getCurrentTime() ?? 0
  before?.player.dispose()
  const player = create({ data: [header, ...events] }, place, {
    speed: Number(speed.value),
    controls: true,
    fit: 'width',
    preload: true,
    theme: 'asciinema',
    terminalFontFamily: 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace',
    ...(idle.checked && { idleTimeLimit: pauseSeconds }),
  })
  void go(player, from, before?.isPlaying === true)
  return player
}

async function go(player: Player, from: number, isPlaying: boolean): Promise<void> {
  if (from > 0) await player.seek(from)
  if (isPlaying) await player.play()
}

async function main(): Promise<void> {
  const { text, isWhole } = await load(place.dataset['file'] ?? '', mostBytes)
  const recording = playable(text)
  let isPlaying = false
  const following = (player: Player): Player => {
    player.addEventListener('playing', () => (isPlaying = true))
    for (const event of ['pause', 'ended'] as const) player.addEventListener(event, () => (isPlaying = false))
    return player
  }
  let player = following(show(recording))
  speed.addEventListener('change', () => {
    player = following(show(recording, { player, isPlaying }))
  })
  idle.addEventListener('change', () => {
    player.dispose()
    isPlaying = false
    player = following(show(recording))
  })
  asText.addEventListener('toggle', () => {
    const shown = asText.querySelector('pre')
    if (!shown || shown.textContent !== '') return
    const whole = transcript(recording)
    shown.textContent = whole.length > mostText ? `${whole.slice(0, mostText)}…` : whole
  })
  status.textContent = [
    recording.events.length === 0 ? 'It has shown nothing.' : 'Ready.',
    ...(isWhole ? [] : [`Only its first ${mostBytes / 1024 / 1024} MiB are here; download it for the rest.`]),
    ...(recording.unreadable > 0 ? [`Lines that cannot be read and are left out: ${recording.unreadable}.`] : []),
  ].join(' ')
}

main().catch((error: unknown) => {
  status.textContent = `It cannot be played: ${error instanceof Error ? error.message : String(error)}`
})
