import { PassThrough } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import type { Ending } from '../../../lib/program.ts'
import { type MonitorOptions, type MonitorProcess, watchTable } from '../../../netfilter/nftables/monitor.ts'

/** A monitor whose output and exit the test controls. */
class Monitor implements MonitorProcess {
  readonly stdout = new PassThrough()
  readonly stderr = new PassThrough()
  readonly #ended = Promise.withResolvers<Ending>()
  readonly ended = this.#ended.promise
  exit(exitCode: number): void {
    this.stdout.end()
    this.#ended.resolve({ exitCode })
  }
}

const generation = (number: number, ...lines: string[]): string =>
  [...lines, `# new generation ${number} by process ${number} (nft)\n`].join('\n')
const mark = (address: string): string => `add element inet culvert own4 { ${address} }`

let over = new AbortController()
afterEach(() => over.abort())

/**
 * Watches with these monitors, one after the other, or failures to start one. Returns what the listener was called
 * with; `announce` makes the transaction that a starting monitor waits for.
 */
function watch(starts: readonly (() => MonitorProcess)[], announce?: MonitorOptions['announce']) {
  over = new AbortController()
  const reported: string[] = []
  const signals: AbortSignal[] = []
  const start: MonitorOptions['start'] = (_program, _args, { signal }) => {
    const next = starts[signals.length]
    if (signal !== undefined) signals.push(signal)
    return next === undefined ? new Monitor() : next()
  }
  const listener = {
    begun: () => void reported.push('begun'),
    generation: ({ lines, by }: { lines: readonly string[]; by: string }) =>
      void reported.push(`${by}: ${lines.join(', ')}`),
    ended: (why?: string) => void reported.push(`ended: ${why}`),
  }
  void watchTable(listener, { start, announce: announce ?? (async () => {}) }, over.signal)
  return { reported, signals }
}

describe('watchTable', () => {
  it('has begun once it has seen a transaction, for which one is made repeatedly', async () => {
    const monitor = new Monitor()
    let announced = 0
    const { reported } = watch([() => monitor], async () => {
      announced += 1
      if (announced === 3) monitor.stdout.write(generation(1))
    })
    await expect.poll(() => reported).toEqual(['begun'])
    expect(announced).toBe(3)
  })

  it('reports transactions that touched our table, wherever the output is split', async () => {
    const monitor = new Monitor()
    const { reported } = watch([() => monitor])
    monitor.stdout.write(generation(1, mark('1.2.3.4')))
    const text = generation(2, mark('1.2.3.5')) + generation(3, 'add table ip other') + generation(4, mark('1.2.3.6'))
    for (const part of text.match(/[^]{1,7}/g) ?? []) monitor.stdout.write(part)
    await expect.poll(() => reported).toEqual(['begun', `nft (2): ${mark('1.2.3.5')}`, `nft (4): ${mark('1.2.3.6')}`])
  })

  it.each<[string, () => MonitorProcess, string]>([
    [
      'it cannot be started',
      () => ({ stdout: null, stderr: null, ended: Promise.resolve({ unstarted: new Error('spawn nft EMFILE') }) }),
      'spawn nft EMFILE',
    ],
    [
      'it fails at once',
      () => {
        const child = new Monitor()
        child.stderr.write('Operation not permitted\n')
        setImmediate(() => child.exit(1))
        return child
      },
      'exit code 1: Operation not permitted',
    ],
  ])('reports why %s, and starts it again', async (_name, start, why) => {
    const second = new Monitor()
    const { reported } = watch([start, () => second])
    second.stdout.write(generation(1))
    await expect.poll(() => reported).toEqual([`ended: ${why}`, 'begun'])
  })

  it('reports why no transaction can be made, and restarts', async () => {
    const second = new Monitor()
    let failures = 1
    const { reported, signals } = watch([() => new Monitor(), () => second], async () => {
      if (failures > 0) {
        failures -= 1
        throw new Error('nft failed')
      }
      second.stdout.write(generation(1))
    })
    await expect.poll(() => reported.slice(0, 2)).toEqual(['ended: nft failed', 'begun'])
    expect(signals[0]?.aborted).toBe(true)
  })

  it('ends a monitor that lost events, whatever it still prints, and starts another', async () => {
    const [first, second] = [new Monitor(), new Monitor()]
    const { reported, signals } = watch([() => first, () => second])
    first.stdout.write(generation(1))
    await expect.poll(() => reported).toEqual(['begun'])
    first.stdout.write('# ERROR: We lost some netlink events!\n')
    first.stdout.write(generation(2, mark('1.2.3.4')))
    await expect.poll(() => signals.length).toBe(2)
    second.stdout.write(generation(3))
    await expect.poll(() => reported).toEqual(['begun', 'ended: We lost some netlink events!', 'begun'])
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
  })

  it('restarts without a reason when it has printed so much that its memory has grown', async () => {
    const [first, second] = [new Monitor(), new Monitor()]
    const { reported } = watch([() => first, () => second])
    const many = Array.from({ length: 2001 }, () => mark('1.2.3.4'))
    first.stdout.write(generation(1) + generation(2, ...many))
    second.stdout.write(generation(3))
    const beginnings = () => reported.map((text) => text.slice(0, 16))
    await expect.poll(beginnings).toEqual(['begun', 'nft (2): add ele', 'ended: undefined', 'begun'])
  })

  it('survives a listener that throws', async () => {
    over = new AbortController()
    const [first, second] = [new Monitor(), new Monitor()]
    const reported: string[] = []
    const listener = {
      begun: () => {
        reported.push('begun')
        if (reported.length === 1) throw new Error('no')
      },
      generation: () => {},
      ended: (why?: string) => void reported.push(`ended: ${why}`),
    }
    const starts = [first, second].values()
    const start = () => starts.next().value ?? new Monitor()
    void watchTable(listener, { start, announce: async () => {} }, over.signal)
    first.stdout.write(generation(1))
    second.stdout.write(generation(2))
    await expect.poll(() => reported).toEqual(['begun', 'ended: no', 'begun'])
  })
})
