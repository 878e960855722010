import { allBeds, tearDown } from '../ground/teardown.ts'
import { checkBedName } from '../ground/record.ts'
import { nameHelp, nameOption, parse, type Verb } from './verb.ts'

export const down: Verb = {
  name: 'down',
  summary: 'end a bed and remove all it made',
  help: `npm run lab -- down [--name NAME | --all]

Ends a bed's processes and removes its namespaces, mounts and files, also after a crash. May be repeated.

${nameHelp}
  --all         every bed of this machine, those of running tests included`,
  run: async (args) => {
    const { values } = parse({ args: [...args], options: { ...nameOption, all: { type: 'boolean', default: false } } })
    checkBedName(values.name)
    const names = values.all ? await allBeds() : [values.name]
    for (const name of names) {
      console.log((await tearDown(name)) ? `bed ${name} is down` : `there is no bed ${name}`)
    }
    if (names.length === 0) console.log('there are no beds')
    return 0
  },
}
