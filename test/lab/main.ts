import { describe } from '../../lib/errors.ts'
import { run } from './cli/run.ts'
import { main } from './cli/verb.ts'

await main('npm run lab --', () => run(process.argv.slice(2)), describe)
