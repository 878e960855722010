import { outsideOf } from '../lib/process.ts'
import { runProgram } from './program.ts'

process.exitCode = await runProgram(process.argv.slice(2), outsideOf(process))
// What is still open must not keep the container alive.
process.exit()
