import { describe } from '../../lib/errors.ts'
import { main, parse } from './cli/verb.ts'
import { cluster } from './demo/cluster.ts'
import { hosts } from './demo/hosts.ts'
import { runDemo } from './demo/run.ts'

const help = `npm run demo -- [--cluster] [--keep] [--name NAME]

Carries real packets through the agent: installs and builds what is missing, starts a tailnet in network namespaces,
runs the agent in front of a backend host, and lets a client of the tailnet reach that backend through it, by TCP and
UDP, over IPv4 and IPv6. Nothing is left running.

  --cluster     with the operator, in a real Kubernetes cluster: through an annotated Service, an Ingress, an egress
                Service and a Connector
  --keep        leave everything up and say how to look around
  --name NAME   what to call the bed; "demo" when left out

A cold run builds for some minutes (with --cluster for some twenty); a later one takes seconds.`

const options = {
  cluster: { type: 'boolean', default: false },
  keep: { type: 'boolean', default: false },
  name: { type: 'string', default: 'demo' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

await main(
  'npm run demo --',
  async () => {
    const { values } = parse({ args: process.argv.slice(2), options })
    if (values.help) {
      console.log(help)
      return 0
    }
    return await runDemo(values.cluster ? cluster : hosts, values)
  },
  describe,
)
