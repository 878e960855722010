// Runs in a host: node probe.ts SETTINGS (JSON of ProbeSettings)
// Exchanges messages with an echo server and prints a Report as JSON, one line each quarter of a second and a last one
// at the end, or at SIGTERM.
import type { Echo, ProbeSettings } from '../protocol.ts'
import { Flow } from './flow.ts'
import { exchange } from './exchange.ts'
import { Tally } from './tally.ts'

/** The maximum number of exchanges at once. */
const crowd = 64
/** The maximum number to begin at once: a process that is late for lack of CPU time must not need even more of it. */
const burst = 4

const settings = JSON.parse(process.argv[2] ?? '{}') as ProbeSettings
const tally = new Tally()
const pad = 'x'.repeat(settings.padding)
const flow = settings.mode === 'flow' ? new Flow(settings, tally) : undefined
const pending = new Set<Promise<void>>()

async function single(sequence: number): Promise<void> {
  const sent = tally.begin()
  for (let left = settings.retries ?? 0; ; left -= 1) {
    try {
      const text = await exchange(settings, `${sequence} ${pad}`)
      return tally.answer(JSON.parse(text) as Echo, sent)
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? 'UNKNOWN'
      if (left === 0) return tally.fail(code)
      tally.retry(code)
    }
  }
}

function send(sequence: number): void {
  if (flow !== undefined) return flow.send(sequence, pad)
  const one = single(sequence).finally(() => pending.delete(one))
  pending.add(one)
  tally.atOnce(pending.size)
}

const started = performance.now()
let sequence = 0
/** Milliseconds for which nothing is sent later. */
let missed = 0
let finishing = false

async function finish(): Promise<void> {
  if (finishing) return
  finishing = true
  clearInterval(sending)
  clearInterval(telling)
  await (flow === undefined ? Promise.all(pending) : flow.finish())
  console.log(JSON.stringify({ ...tally.report(), last: true }))
  process.exit(0)
}

process.on('SIGTERM', () => void finish())
if (flow !== undefined) await flow.open()
console.log('started')

function sendDue(): void {
  // Timers fire late: what has become due since is sent, too, so that the rate is kept if possible.
  const due = Math.floor((performance.now() - started - missed) / settings.every) + 1
  missed += Math.max(0, due - sequence - burst) * settings.every
  const target = Math.min(settings.count, due, sequence + burst)
  while (sequence < target && pending.size < crowd) {
    send(sequence)
    sequence += 1
  }
  if (sequence >= settings.count || flow?.over === true || performance.now() - started >= settings.duration)
    void finish()
}

const telling = setInterval(() => console.log(JSON.stringify(tally.report())), 250)
const sending = setInterval(sendDue, Math.max(1, Math.min(settings.every, 50)))
sendDue()
