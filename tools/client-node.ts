import { join } from 'node:path'
import type { Plugin } from 'esbuild'

const folder = join(import.meta.dirname, '../node_modules/@kubernetes/client-node/dist')

/**
 * Bundles of @kubernetes/client-node what reads configurations and authenticates. The rest, classes for every kind and
 * call of the API, is 5 MB, and 40 MB of memory. No version promises these paths, so that they are listed only here,
 * and the build fails if a version has moved them.
 */
export const clientNodeParts = (): Plugin => ({
  name: 'client-node-parts',
  setup: (bundle) => {
    let met = false
    bundle.onResolve({ filter: /^@kubernetes\/client-node$/ }, () => ({ path: join(folder, 'config.js') }))
    bundle.onLoad({ filter: /client-node\/dist\/gen\/index\.js$/ }, () => {
      met = true
      const stub = '() => { throw new Error("this part of @kubernetes/client-node is not bundled") }'
      return { contents: `export const createConfiguration = ${stub}, ServerConfiguration = class {}` }
    })
    const text = '@kubernetes/client-node is bundled in another way than tools/client-node.ts expects'
    bundle.onEnd(() => (met ? undefined : { errors: [{ text }] }))
  },
})
