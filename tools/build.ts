import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import packageJson from '../package.json' with { type: 'json' }

const root = dirname(import.meta.dirname)

/** Bundles the agent into one file that plain Node runs; gives its path. */
export async function buildAgent(): Promise<string> {
  const outfile = join(root, 'dist', 'agent.js')
  await mkdir(dirname(outfile), { recursive: true })
  await build({
    absWorkingDir: root,
    entryPoints: ['agent/main.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    // Its CommonJS form, which esbuild would take, loads its parts in a way that cannot be bundled.
    alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
    define: { CULVERT_VERSION: JSON.stringify(packageJson.version) },
    plugins: [requireBuiltins],
    // `require` is not there in an ES module: packages in CommonJS call it, and so does requireBuiltins.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: 'warning',
  })
  return outfile
}

/**
 * Loads Node's own modules by `require`: an ES import evaluates every export, and that of node:http thereby loads fetch
 * and WebSocket, 5 MiB of anonymous memory that nothing here uses.
 */
const requireBuiltins: Plugin = {
  name: 'require-builtins',
  setup: (bundle) => {
    bundle.onResolve({ filter: /^node:/ }, ({ path, kind }) =>
      kind === 'import-statement' ? { path, namespace: 'builtin' } : { path, external: true },
    )
    bundle.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)})`,
    }))
  },
}

if (import.meta.main) console.log(await buildAgent())
