import { readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { Plugin } from 'esbuild'

/**
 * Left out of the bundle: `execaSync`, and the log of commands with its colours and symbols. Loading them, and what only
 * they import, takes each start some 4 ms. No version promises these paths, so that they are listed only here, and the
 * build fails if a version has moved them.
 */
const unused = ['lib/methods/main-sync.js', 'lib/verbose/log.js']

/** The same for what it imports of Node: `serialize`, which checks messages to Node programs. */
const unusedOfNode = { module: 'node:v8', names: ['serialize'] }

const folder = join(import.meta.dirname, '../node_modules/execa')

/** Bundles execa without these parts. The build fails unless it has met all of `leftOut`. */
export const execaParts = (leftOut: readonly string[] = unused): Plugin => ({
  name: 'execa-parts',
  setup: (bundle) => {
    const left = new Set(leftOut.map((path) => join(folder, path)))
    bundle.onLoad({ filter: /\/execa\/lib\// }, async ({ path }) =>
      left.delete(path) ? { contents: stubs(exported(await readFile(path, 'utf8'))) } : undefined,
    )
    const { module, names } = unusedOfNode
    bundle.onResolve({ filter: new RegExp(`^${module}$`) }, ({ importer }) =>
      importer.startsWith(join(folder, 'lib')) ? { path: module, namespace: 'execa-parts' } : undefined,
    )
    bundle.onLoad({ filter: /.*/, namespace: 'execa-parts' }, () => ({ contents: stubs(names) }))
    bundle.onEnd(() => ({
      errors: [...left].map((path) => ({
        text: `execa has no ${relative(folder, path)} any more: see tools/execa.ts`,
      })),
    }))
  },
})

const exported = (source: string): string[] =>
  [...source.matchAll(/^export const (\w+)/gm)].map(([, name = '']) => name)

/** Functions that throw. Another import than these names fails the build. */
const stubs = (names: readonly string[]): string =>
  names.map((name) => `export const ${name} = () => { throw new Error('not bundled: ${name} of execa') }\n`).join('')
