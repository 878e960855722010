import { outsideOf } from '../lib/process.ts'
import { runProgram } from './program.ts'

process.exitCode = await runProgram(process.argv.slice(2), outsideOf(process))
// Watches and timers that did not end must not keep the container alive.
process.exit()
