import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe } from '../lib/errors.ts'
import { main, parse } from '../test/lab/cli/verb.ts'
import { table } from '../test/lab/cli/show.ts'
import { progress } from '../test/lab/progress.ts'
import { prepare } from '../test/lab/ready.ts'
import { runBench } from './bench.ts'
import { measureImages } from './image.ts'
import { markdown, tableOf, withSection } from './report.ts'
import { full, quick } from './size.ts'

const help = `npm run bench -- [--quick | --image] [--commit ID]

Measures our agent beside upstream's in the same bed and run: start, memory, forwarded traffic, stop. Installs and
builds what is missing, prints the figures and writes bench/RESULTS.md. Nothing is left running.

  --quick       fewer and shorter repeats, prints only
  --image       the size of the images alone; the rest of bench/RESULTS.md stays
  --commit ID   names what is measured in the results

It takes less than six minutes, and needs a machine that does nothing else to mean much.`

const options = {
  quick: { type: 'boolean', default: false },
  image: { type: 'boolean', default: false },
  commit: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

const results = join(import.meta.dirname, 'RESULTS.md')

async function imageAlone(): Promise<number> {
  const preparation = await prepare('image')
  const steps = progress(preparation.steps + 1)
  await preparation.run(steps)
  const section = await steps.step('size of the images', measureImages)
  console.log(table(tableOf(section)))
  await writeFile(results, withSection(await readFile(results, 'utf8'), section))
  return 0
}

await main(
  'npm run bench --',
  async () => {
    const { values } = parse({ args: process.argv.slice(2), options })
    if (values.help) {
      console.log(help)
      return 0
    }
    if (values.image) return await imageAlone()
    const { sections, facts } = await runBench(values.quick ? quick : full, values.commit)
    console.log(`\n${table(facts)}`)
    for (const section of sections) console.log(`\n${section.title}\n${table(tableOf(section))}`)
    if (values.quick) return 0
    await writeFile(results, markdown(sections, facts))
    console.log('\nWritten: bench/RESULTS.md')
    return 0
  },
  describe,
)
