import type { Progress } from '../../test/lab/progress.ts'
import { buildRecorder } from '../../tools/build.ts'
import type { Section } from '../section.ts'
import { measureLooking } from './looking.ts'
import { measureUploads } from './uploads.ts'

export type RecorderSize = {
  readonly repeats: number
  /** Sessions at once, and for how many seconds they go on. */
  readonly sessions: number
  readonly seconds: number
  /** Recordings among which some are looked for. */
  readonly recordings: number
}

/** The number of progress steps of `measureRecorder`. */
export const recorderSteps = 3

/** The recorder as a process beside a scripted tailscaled; its uploaders and readers are the benchmark. */
export async function measureRecorder(size: RecorderSize, steps: Progress): Promise<Section[]> {
  await steps.step('bundle the recorder', buildRecorder)
  return [
    await steps.step(`${size.sessions} sessions at once`, (note) => measureUploads(size, note)),
    await steps.step(`${size.recordings} recordings`, (note) => measureLooking(size, note)),
  ]
}
