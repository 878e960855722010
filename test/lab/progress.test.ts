import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { progress, seconds } from './progress.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const wait = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms)
  })

function screen(isTTY: boolean): {
  isTTY: boolean
  columns: number
  write: (text: string) => void
  text: () => string
} {
  let all = ''
  return {
    isTTY,
    columns: 80,
    write: (text) => {
      all += text
    },
    text: () => all,
  }
}

test('a step that takes minutes reports its progress every ten seconds', async () => {
  const paper = screen(false)
  const step = progress(3, paper).step('build it', async (note) => {
    note('4 packages compiled')
    await wait(25_000)
    return 'built'
  })
  await vi.advanceTimersByTimeAsync(25_000)
  expect(await step).toBe('built')
  expect(paper.text().split('\n')).toEqual([
    '[1/3] build it …',
    '[1/3] build it: 4 packages compiled (10.7 s)',
    '[1/3] build it: 4 packages compiled (20.7 s)',
    '[1/3] build it: done in 25.0 s',
    '',
  ])
})

test('a quick step is one line; steps are counted', async () => {
  const paper = screen(false)
  const steps = progress(2, paper)
  await steps.step('look', async () => undefined)
  await steps.step('leap', async () => undefined)
  expect(paper.text()).toBe('[1/2] look: done in 0.0 s\n[2/2] leap: done in 0.0 s\n')
})

test('a step that fails is reported', async () => {
  const paper = screen(false)
  await expect(progress(1, paper).step('look', () => Promise.reject(new Error('dark')))).rejects.toThrow('dark')
  expect(paper.text()).toBe('[1/1] look: failed after 0.0 s\n')
})

test('on a terminal one line is rewritten, and never exceeds its width', async () => {
  const terminal = screen(true)
  const step = progress(1, terminal).step('look', async (note) => {
    note('x'.repeat(200))
    await wait(450)
  })
  await vi.advanceTimersByTimeAsync(450)
  await step
  const shown = terminal.text().split('\r\u001B[K')
  expect(shown.length).toBeGreaterThan(3)
  for (const line of shown) expect(line.length).toBeLessThan(80)
  expect(shown.at(-1)).toBe('[1/1] look: done in 0.5 s\n')
})

test.each([
  [440, '0.4 s'],
  [59_990, '1 min 0 s'],
  [61_000, '1 min 1 s'],
  [119_990, '2 min 0 s'],
])('%i ms is %s', (ms, text) => {
  expect(seconds(ms)).toBe(text)
})
