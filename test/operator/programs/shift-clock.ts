// Preloaded into an operator: at SIGUSR2 its time of day is set off by the milliseconds in the file $TEST_CLOCK.
import { readFileSync } from 'node:fs'

const Real = Date
let off = 0
const now = (): number => Real.now() + off

globalThis.Date = new Proxy(Real, {
  construct: (_target, given: [], newTarget) => Reflect.construct(Real, given.length > 0 ? given : [now()], newTarget),
  get: (target, name, self) => (name === 'now' ? now : (Reflect.get(target, name, self) as unknown)),
})
process.on('SIGUSR2', () => {
  off = Number(readFileSync(process.env['TEST_CLOCK']!, 'utf8'))
  console.error(`clock: ${new Date().toISOString()}`)
})
