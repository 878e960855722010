import { seconds } from '../progress.ts'
import { startBed } from '../bed.ts'
import { prepare } from '../ready.ts'
import { progress } from '../progress.ts'
import { defaultTopology } from '../spec.ts'
import { parseHosts } from './hosts.ts'
import { describeBed } from './show.ts'
import { nameHelp, nameOption, parse, type Verb } from './verb.ts'

export const up: Verb = {
  name: 'up',
  summary: 'start a bed',
  help: `npm run lab -- up [--name NAME] [--hosts SPEC] [--acme]

Starts a tailnet and its hosts, after installing and building what is missing. It stays up until \`down\`.

${nameHelp}
  --hosts SPEC  hosts between commas, each NAME:WORD:WORD… with the words
                wan or cluster (where it is), tailscaled, v4only, v6only;
                "client:wan:tailscaled,proxy:cluster,backend:cluster" when left out
  --acme        run a certificate authority too, so that \`tailscale cert\` works`,
  run: async (args) => {
    const options = { ...nameOption, hosts: { type: 'string' }, acme: { type: 'boolean', default: false } } as const
    const { values } = parse({ args: [...args], options })
    const hosts = values.hosts === undefined ? defaultTopology : parseHosts(values.hosts)
    const preparation = await prepare()
    const steps = progress(preparation.steps + 1)
    await preparation.run(steps)
    const started = performance.now()
    const bed = await steps.step(`start bed ${values.name}`, () =>
      startBed({ name: values.name, hosts, acme: values.acme, owned: false }),
    )
    console.log(`bed ${values.name} is up after ${seconds(performance.now() - started)}\n`)
    console.log(await describeBed(bed))
    const which = values.name === 'lab' ? '' : ` --name ${values.name}`
    console.log(`\nLook around:  npm run lab -- exec${which} ${bed.hosts[0]?.name ?? 'HOST'} -- bash`)
    console.log(`Take it down: npm run lab -- down${which}`)
    return 0
  },
}
