import { setTimeout as delay } from 'node:timers/promises'
import { expect } from 'vitest'
import { parseJson } from '../../lib/json.ts'
import { poll } from '../lab/poll.ts'
import { header, output, type RecorderBed } from './recorder-bed.ts'
import type { Uploading } from './uploading.ts'

/** What one uploader has sent, and what was reported as stored of it. */
type Sent = { readonly name: string; text: string; readonly upload: Uploading }

/**
 * When the recorder is killed: after `ms` milliseconds, and with `isStored` not before something is reported as stored.
 * `isHurried`: once more while it starts again.
 */
export type Kill = { readonly ms: number; readonly isStored: boolean; readonly isHurried: boolean }

/** `longest`: how many characters a line may have. `recover` is called before everything must be stored. */
export type Uploads = {
  readonly many: number
  readonly random: () => number
  readonly longest?: number
  readonly recover?: () => void
}

/**
 * Uploads `many` recordings at once, kills the recorder, starts it again, and expects that nothing is lost that was
 * reported as stored: each recording begins with at least that, is playable, and has nothing that was not sent.
 */
export async function uploadAndKill(
  bed: RecorderBed,
  { many, ms, random, isHurried, isStored, longest = 3000, recover }: Kill & Uploads,
): Promise<void> {
  const before = new Set(bed.files)
  const over = new AbortController()
  const all: Sent[] = []
  const write = async (name: string): Promise<void> => {
    const upload = await bed.upload()
    const sent: Sent = { name, text: '', upload }
    all.push(sent)
    const send = async (text: string): Promise<void> => {
      // In two pieces, so that a line is only half there at times.
      const cut = Math.floor(random() * text.length)
      for (const piece of [text.slice(0, cut), text.slice(cut)]) {
        if (over.signal.aborted || piece === '') continue
        sent.text += piece
        await upload.write(piece)
        if (random() < 0.1) await delay(random() * 20)
      }
    }
    await send(header({ command: name }))
    // Some never end by themselves.
    const [lines, pause] = random() < 0.5 ? [Infinity, 5] : [random() * 400, 0]
    for (let at = 0; at < lines && !over.signal.aborted; at += 1) {
      await send(output(at, String.fromCharCode(97 + (at % 26)).repeat(random() * longest)))
      if (pause > 0) await delay(pause)
    }
    if (!over.signal.aborted) upload.stream.end()
  }
  const writing = Array.from({ length: many }, (_, at) => write(`session ${at} of ${before.size}`).catch(() => {}))
  await delay(ms)
  if (isStored) await poll('something is stored', () => all.some(({ upload }) => upload.acknowledged > 0) || undefined)
  await bed.end('SIGKILL')
  over.abort()
  for (const { upload } of all) upload.session.destroy()
  await Promise.all(writing)

  if (isHurried) {
    const started = bed.run().catch(() => {})
    await delay(random() * 60)
    await bed.end('SIGKILL')
    await started
  }
  await bed.run()
  recover?.()
  await bed.settled()
  const files = bed.files
  expect(files.filter((file) => !file.endsWith('.cast'))).toEqual([])
  const found = files.filter((file) => !before.has(file)).map((file) => bed.read(file))
  for (const { name, text, upload } of all) {
    const own = found.filter((one) => one.includes(`"command":"${name}"`))
    const acknowledged = upload.acknowledged
    expect(own.length, name).toBeLessThanOrEqual(1)
    const [kept = ''] = own
    const lines = kept.split('\n')
    expect(lines.pop(), name).toBe('')
    const isCut = lines.at(-1)?.includes('recording cut off') === true
    const given = isCut ? kept.slice(0, kept.slice(0, -1).lastIndexOf('\n') + 1) : kept
    expect(text.startsWith(given), name).toBe(true)
    expect(given.length, name).toBeGreaterThanOrEqual(acknowledged)
    expect(
      lines.filter((line) => parseJson(line) === undefined),
      name,
    ).toEqual([])
  }
}

/** Numbers that only look random, from 0 up to 1. */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32
    return state / 2 ** 32
  }
}

/** Resolves when the recorder has read all that it keeps. */
export const known = (bed: RecorderBed, many: number) =>
  poll(`${many} recordings are known`, async () =>
    (await bed.metric('culvert_recorder_stored')) === many ? true : undefined,
  )
