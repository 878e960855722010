import { seconds } from '../progress.ts'
import { startBed } from '../bed.ts'
import { nodesOf } from '../cluster/spec.ts'
import { prepare } from '../ready.ts'
import { progress } from '../progress.ts'
import { defaultTopology } from '../spec.ts'
import { parseHosts } from './hosts.ts'
import { describeBed } from './show.ts'
import { nameHelp, nameOption, parse, UsageError, type Verb } from './verb.ts'

export const up: Verb = {
  name: 'up',
  summary: 'start a bed',
  help: `npm run lab -- up [--name NAME] [--hosts SPEC] [--acme] [--cluster] [--nodes N]

Starts a tailnet, its hosts and optionally a cluster, after installing and building what is missing. It stays up until \`down\`.

${nameHelp}
  --hosts SPEC  hosts between commas, each NAME:WORD:WORD… with the words
                wan or cluster (its network), tailscaled, v4only, v6only;
                "client:wan:tailscaled,proxy:cluster,backend:cluster" when left out
  --acme        also run a certificate authority, so that \`tailscale cert\` works
  --cluster     also start a Kubernetes cluster
  --nodes N     how many nodes it has; 1 when left out`,
  run: async (args) => {
    const options = {
      ...nameOption,
      hosts: { type: 'string' },
      acme: { type: 'boolean', default: false },
      cluster: { type: 'boolean', default: false },
      nodes: { type: 'string' },
    } as const
    const { values } = parse({ args: [...args], options })
    const hosts = values.hosts === undefined ? defaultTopology : parseHosts(values.hosts)
    const cluster = values.cluster ? { nodes: Number(values.nodes ?? 1) } : undefined
    if (cluster !== undefined) nodesOf(cluster)
    else if (values.nodes !== undefined) throw new UsageError('--nodes is of use with --cluster only')
    const preparation = await prepare(...(cluster ? (['cluster'] as const) : []))
    const steps = progress(preparation.steps + 1)
    await preparation.run(steps)
    const started = performance.now()
    const bed = await steps.step(`start bed ${values.name}`, () =>
      startBed({
        name: values.name,
        hosts,
        acme: values.acme,
        owned: false,
        ...(cluster && { cluster }),
      }),
    )
    console.log(`bed ${values.name} is up after ${seconds(performance.now() - started)}\n`)
    console.log(await describeBed(bed))
    const which = values.name === 'lab' ? '' : ` --name ${values.name}`
    console.log(`\nLook around:  npm run lab -- exec${which} ${bed.hosts[0]?.name ?? 'HOST'} -- bash`)
    if (cluster) console.log(`              npm run lab -- kubectl${which} -- get pods --all-namespaces`)
    console.log(`Take it down: npm run lab -- down${which}`)
    return 0
  },
}
