import { openBed } from '../bed.ts'
import { isAlive, type Proc } from '../namespaces/procs.ts'
import { readRecord } from '../namespaces/record.ts'
import { allBeds } from '../namespaces/teardown.ts'
import { describeBed, lastLines } from './show.ts'
import { parse, type Verb } from './verb.ts'

export const status: Verb = {
  name: 'status',
  summary: 'what is up; the last log lines of what has ended',
  help: `npm run lab -- status [--name NAME]

Shows each bed with its hosts and its tailnet, and the last log lines of what has ended.
Exits with 1 when something that was started has ended.

  --name NAME   only this bed`,
  run: async (args) => {
    const { values } = parse({ args: [...args], options: { name: { type: 'string' } } })
    const names = values.name === undefined ? await allBeds() : [values.name]
    if (names.length === 0) console.log('No bed is up. Start one with: npm run lab -- up')
    let well = true
    for (const name of names) well = (await show(name)) && well
    return well ? 0 : 1
  },
}

/** Prints a bed. False when the bed or a part of it is not running. */
async function show(name: string): Promise<boolean> {
  const record = await readRecord(name)
  if (record?.holder === undefined || !isAlive(record.holder)) {
    if (!(await allBeds()).includes(name)) {
      console.log(`there is no bed ${name}. Start it with: npm run lab -- up --name ${name}`)
      return false
    }
    console.log(`bed ${name} is not up. Remove what is left of it with: npm run lab -- down --name ${name}`)
    process.stdout.write(await lastLines(name, 5))
    return false
  }
  console.log(`bed ${name} is up since ${record.created}`)
  console.log(`${await describeBed(await openBed(name))}\n`)
  const parts: [string, Proc | undefined][] = [
    ...Object.entries(record.others ?? {}),
    ['control', record.control],
    ['pebble', record.acme],
    ...record.hosts.map((host): [string, Proc | undefined] => [`${host.name}.tailscaled`, host.tailscaled]),
  ]
  const ended = parts.filter(([, process]) => process !== undefined && !isAlive(process))
  for (const [part] of ended) {
    console.log(`${part} has ended; its last lines:`)
    process.stdout.write(await lastLines(name, 15, `${part}.log`))
  }
  return ended.length === 0
}
