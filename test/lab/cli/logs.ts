import { lastLines } from './show.ts'
import { checkBedName } from '../namespaces/record.ts'
import { nameHelp, nameOption, parse, UsageError, type Verb } from './verb.ts'

export const logs: Verb = {
  name: 'logs',
  summary: "the last lines of a bed's daemons",
  help: `npm run lab -- logs [--name NAME] [--lines N] [PART]

Shows the last lines that the bed's daemons printed: control, pebble, each host's tailscaled, and those of
a cluster, such as kube-apiserver and node1.kubelet.

${nameHelp}
  --lines N     how many of each; the default is 20
  PART          only logs whose name begins like this: control, pebble, kube, or a host`,
  run: async (args) => {
    const options = { ...nameOption, lines: { type: 'string', default: '20' } } as const
    const { values, positionals } = parse({ args: [...args], options, allowPositionals: true })
    checkBedName(values.name)
    if (!/^[1-9]\d{0,5}$/.test(values.lines)) throw new UsageError(`--lines ${values.lines} is no number from 1 up`)
    const text = await lastLines(values.name, Number(values.lines), positionals[0] ?? '')
    process.stdout.write(text === '' ? `bed ${values.name} has no such logs\n` : text)
    return text === '' ? 1 : 0
  },
}
