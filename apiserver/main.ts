import { outsideOf } from '../lib/process.ts'
import { runApiServer } from './run.ts'

process.exitCode = await runApiServer({
  ...outsideOf(process),
  writeAudit: (line) => void process.stdout.write(line),
})
// What is still open must not keep the container alive.
process.exit()
