import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { build, type Metafile, type Plugin } from 'esbuild'
import { clientNodeParts } from './client-node.ts'
import { execaParts } from './execa.ts'
import { undiciDefines, undiciParts } from './undici.ts'
import packageJson from '../package.json' with { type: 'json' }

const root = dirname(import.meta.dirname)

/** Bundles the agent into one file that plain Node can run, `dist/agent.js`; gives its path. */
export const buildAgent = (): Promise<string> => bundled('agent', 'NOTICES')

/** The same of the operator, `dist/operator.js`. */
export const buildOperator = (): Promise<string> => bundled('operator', 'OPERATOR-NOTICES')

/** The same of the API server proxy, `dist/apiserver.js`. */
export const buildApiServer = (): Promise<string> => bundled('apiserver', 'APISERVER-NOTICES')

/** Before requireBuiltins, which takes all of Node's modules. */
const parts = { agent: () => [execaParts()], operator: () => [clientNodeParts()], apiserver: () => [] } as const

/** Bundles `<name>/main.ts`, and writes the licences of what is in it. */
async function bundled(name: keyof typeof parts, licences: string): Promise<string> {
  const outfile = join(root, 'dist', `${name}.js`)
  await mkdir(dirname(outfile), { recursive: true })
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [`${name}/main.ts`],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    // esbuild would take its CommonJS form, which loads its parts in a way that cannot be bundled.
    alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
    define: { CULVERT_VERSION: JSON.stringify(packageJson.version), ...undiciDefines },
    plugins: [...parts[name](), requireBuiltins, undiciParts()],
    // An ES module has no `require`, which CommonJS packages and requireBuiltins call.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: 'warning',
    metafile: true,
  })
  await writeFile(join(root, 'dist', licences), await notices(metafile))
  return outfile
}

/**
 * Loads Node's own modules by `require`: an ES import evaluates every export, so that node:http would load fetch and
 * WebSocket, 5 MiB of anonymous memory for nothing.
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

/** The licences of all packages with code in the bundle. */
async function notices({ outputs }: Metafile): Promise<string> {
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs))
  const used = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path)
  const packages = new Set(used.flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []))
  const texts = [...packages].toSorted().map(async (name) => {
    const folder = join(root, 'node_modules', name)
    const file = (await readdir(folder)).find((one) => /^licen[cs]e/i.test(one))
    if (file === undefined) throw new Error(`the package ${name} has no licence, which belongs into the image`)
    return `${name}\n\n${(await readFile(join(folder, file), 'utf8')).trim()}\n`
  })
  return (await Promise.all(texts)).join(`\n${'-'.repeat(80)}\n\n`)
}

if (import.meta.main) console.log(`${await buildAgent()}\n${await buildOperator()}\n${await buildApiServer()}`)
