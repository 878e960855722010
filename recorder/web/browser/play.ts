// The only script of the web page: plays the recording whose address the page has.
import { create, type Player } from 'asciinema-player'
import { type Playable, playable, transcript } from '../../cast/playable.ts'
import { type Loaded, loadMore, mostBytes, nothing } from './load.ts'

/** The most of its text that is shown, in characters. */
const mostText = 2 * 1024 * 1024
/** Pauses are shortened to so many seconds, if they are to be. */
const pauseSeconds = 2
/** How long after one look at a session that goes on the next one is, in milliseconds. */
const followMs = 2000

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
/** Only a session that goes on can be followed. */
const follow = document.querySelector<HTMLInputElement>('#follow')
const address = place.dataset['file'] ?? ''

let loaded: Loaded = nothing
let recording: Playable
let player: Player | undefined
let isPlaying = false

/** Shows a player in place of the one before; where it begins, and whether it plays then. */
async function show(from: number | '100%', plays: boolean): Promise<void> {
  player?.dispose()
  isPlaying = false
  const shown = create({ data: [recording.header, ...recording.events] }, place, {
    speed: Number(speed.value),
    controls: true,
    fit: 'width',
    preload: true,
    theme: 'asciinema',
    terminalFontFamily: 'ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace',
    ...(idle.checked && { idleTimeLimit: pauseSeconds }),
  })
  player = shown
  shown.addEventListener('playing', () => (isPlaying = true))
  for (const event of ['pause', 'ended'] as const) shown.addEventListener(event, () => (isPlaying = false))
  if (from !== 0) await shown.seek(from)
  if (plays) await shown.play()
}

/** Takes what was loaded. */
function take(more: Loaded): void {
  loaded = more
  recording = playable(loaded.text)
  showText()
  tell()
}

function showText(): void {
  const shown = asText.querySelector('pre')
  if (!shown || !asText.open) return
  const whole = transcript(recording)
  shown.textContent = whole.length > mostText ? `${whole.slice(0, mostText)}…` : whole
}

function tell(): void {
  status.textContent = [
    recording.events.length === 0 ? 'It has shown nothing.' : 'Ready.',
    ...(follow === null ? [] : [loaded.goesOn ? 'The session goes on.' : 'The session has ended.']),
    ...(loaded.isWhole ? [] : [`Only its first ${mostBytes / 1024 / 1024} MiB are here; download it for the rest.`]),
    ...(recording.unreadable > 0 ? [`Lines that cannot be read and are left out: ${recording.unreadable}.`] : []),
  ].join(' ')
}

/** Shows the end of a session that goes on again and again, while that is wanted. */
async function keepUp(wanted: () => boolean): Promise<void> {
  while (wanted()) {
    const more = await loadMore(address, loaded)
    if (!wanted()) return
    const hasMore = more.bytes > loaded.bytes
    if (hasMore || more.goesOn !== loaded.goesOn) take(more)
    if (hasMore) await show('100%', false)
    if (!loaded.goesOn) return
    await new Promise((resolve) => setTimeout(resolve, followMs))
  }
}

async function main(): Promise<void> {
  take(await loadMore(address, loaded))
  await show(0, false)
  speed.addEventListener('change', () => void show(player?.getCurrentTime() ?? 0, isPlaying))
  // Places are others then.
  idle.addEventListener('change', () => void show(0, false))
  asText.addEventListener('toggle', showText)
  let turn = 0
  follow?.addEventListener('change', () => {
    turn += 1
    const own = turn
    if (!follow.checked) return
    void show('100%', false)
      .then(() => keepUp(() => own === turn))
      .catch(failed)
  })
}

function failed(error: unknown): void {
  status.textContent = `It cannot be played: ${error instanceof Error ? error.message : String(error)}`
}

main().catch(failed)
