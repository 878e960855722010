import { longGroups } from '../parts/table.ts'
import { progress } from '../progress.ts'
import { prepare } from '../ready.ts'
import { parse, type Verb } from './verb.ts'

export const build: Verb = {
  name: 'build',
  summary: 'install and build what is missing',
  help: `npm run lab -- build [--releases]

Installs the Debian packages that are missing and builds the lab's programs into the cache:
$CULVERT_CACHE, else $XDG_CACHE_HOME/culvert, else ~/.cache/culvert.
A cold build takes some minutes; when everything exists, it does nothing.

  --releases    also what only \`npm run test:long\` uses: other releases of tailscaled, Tailscale's operator, and
                clients of Kubernetes in other languages`,
  run: async (args) => {
    const { values } = parse({ args: [...args], options: { releases: { type: 'boolean' } } })
    const preparation = await prepare(
      'cluster',
      'image',
      'browser',
      'monitoring',
      's3',
      ...(values.releases ? longGroups : []),
    )
    const programs = await preparation.run(progress(preparation.steps))
    for (const [name, directory] of Object.entries(programs)) console.log(`${name.padEnd(23)} ${directory}`)
    return 0
  },
}
