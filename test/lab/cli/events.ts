import { openBed } from '../bed.ts'
import { inOrder, tailnetEvent } from '../cluster/events.ts'
import { table } from './show.ts'
import { nameHelp, nameOption, parse, type Verb } from './verb.ts'

export const events: Verb = {
  name: 'events',
  summary: 'what happened, in order',
  help: `npm run lab -- events [--name NAME]

Shows the events of the control server and the cluster: time, origin, object and what happened. An event of
the cluster is shown once, at the last time that it happened.

${nameHelp}`,
  run: async (args) => {
    const { values } = parse({ args: [...args], options: nameOption })
    const bed = await openBed(values.name)
    const tailnet = (await bed.control.events()).events.map(tailnetEvent)
    const cluster = bed.record.cluster === undefined ? [] : await bed.cluster.events()
    const rows = inOrder([...tailnet, ...cluster]).map(({ time, from, about, what }) => [time, from, about, what])
    console.log(rows.length === 0 ? 'Nothing happened yet.' : table(rows))
    return 0
  },
}
