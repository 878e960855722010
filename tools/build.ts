import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'
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
    define: { CULVERT_VERSION: JSON.stringify(packageJson.version) },
    // Packages in CommonJS call `require` of Node's own modules, which ESM does not have.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: 'warning',
  })
  return outfile
}

if (import.meta.main) console.log(await buildAgent())
