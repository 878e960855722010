import { sleep } from '../../lib/timers.ts'
import type { Change } from './elements.ts'
import type { Listener } from './monitor.ts'
import { announcedRules, announcement } from './render.ts'

/**
 * Sorts the kernel's announcements about our table: our own ones prove our changes, all others are another program's.
 */
export type Announcements = {
  /** Whether all changes are announced at the moment. */
  readonly complete: () => boolean
  /**
   * Call before rules are loaded, with their outline, by which the announcement is recognised as ours. Gives a function
   * to call if loading failed.
   */
  readonly expectRules: (outline: readonly string[]) => () => void
  /** Runs `work`, and gives whether the kernel then announced exactly these changes and nothing else before. */
  readonly confirm: (changes: readonly Change[], work: () => Promise<void>) => Promise<boolean>
  readonly listener: Listener
}

/** The kernel announces a transaction before it acknowledges it, but the monitor must be scheduled and read. In ms. */
const announcedMs = 1000

/** `changed` is called when another program has changed our table, with its name, or may have without notice. */
export function announcements(changed: (by?: string) => void): Announcements {
  let complete = false
  /** The outlines of loaded rules that were not announced yet. */
  let loads: string[] = []
  let expected: { readonly lines: string; readonly heard: (ours: boolean) => void } | undefined
  return {
    complete: () => complete,
    expectRules: (outline) => {
      const rules = rulesOf(outline)
      if (complete) loads.push(rules)
      return () => {
        const at = loads.lastIndexOf(rules)
        if (at >= 0) loads.splice(at, 1)
      }
    },
    confirm: async (list, work) => {
      if (!complete) return work().then(() => false)
      const over = new AbortController()
      const heard = new Promise<boolean>((resolve) => {
        expected = { lines: announcement(list).join('\n'), heard: resolve }
      })
      try {
        await work()
        return await Promise.race([heard, sleep(announcedMs, over.signal).then(() => false)])
      } finally {
        expected = undefined
        over.abort()
      }
    },
    listener: {
      begun: () => {
        complete = true
        loads = []
        changed()
      },
      generation: ({ lines, by }) => {
        if (expected?.lines === lines.join('\n')) return expected.heard(true)
        const load = loads.indexOf(announcedRules(lines).join('\n'))
        if (load >= 0) {
          loads.splice(0, load + 1)
          return
        }
        expected?.heard(false)
        changed(by)
      },
      ended: (why) => {
        complete = false
        // Announcements before the end may be lost. If the monitor cannot be restarted, each attempt does a full check.
        if (why !== undefined) changed()
      },
    },
  }
}

const rulesOf = (lines: readonly string[]): string => lines.filter((line) => line.includes(': ')).join('\n')
