import { allBeds, tearDown } from '../namespaces/teardown.ts'
import { isAlive } from '../namespaces/procs.ts'
import { checkBedName, readRecord } from '../namespaces/record.ts'
import { nameHelp, nameOption, parse, type Verb } from './verb.ts'

export const down: Verb = {
  name: 'down',
  summary: 'end a bed and remove everything it made',
  help: `npm run lab -- down [--name NAME | --all]

Ends a bed's processes and removes its namespaces, mounts and files, also after a crash. May be repeated.

${nameHelp}
  --all         every bed of this machine, except those of tests and demos that still run`,
  run: async (args) => {
    const { values } = parse({ args: [...args], options: { ...nameOption, all: { type: 'boolean', default: false } } })
    checkBedName(values.name)
    const names = values.all ? await unused() : [values.name]
    for (const name of names) {
      console.log((await tearDown(name)) ? `bed ${name} is down` : `there is no bed ${name}`)
    }
    if (names.length === 0) console.log('there are no beds to take down')
    return 0
  },
}

/** The beds that no running program will take down by itself. */
async function unused(): Promise<string[]> {
  const names: string[] = []
  for (const name of await allBeds()) {
    const owner = (await readRecord(name))?.owner
    if (owner === undefined || !isAlive(owner)) names.push(name)
    else console.log(`bed ${name} belongs to process ${owner.pid}, which runs; take it down by its name if it must end`)
  }
  return names
}
