import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { build, type Metafile, type Plugin } from 'esbuild'
import { clientNodeParts } from './client-node.ts'
import { execaParts } from './execa.ts'
import { undiciDefines, undiciParts } from './undici.ts'
import packageJson from '../package.json' with { type: 'json' }

const root = dirname(import.meta.dirname)

/**
 * Bundles the agent into one file that plain Node can run, `dist/agent.js`, with `dist/yaml.js` and `dist/svg.js` for
 * the commands that need them; gives the first one's path.
 */
export async function buildAgent(): Promise<string> {
  const [outfile, { metafile }] = await bundled('agent', 'agent/main.ts')
  const [, yaml] = await bundled('yaml', 'agent/cli/yaml.ts')
  const [, svg] = await bundled('svg', 'agent/cli/svg.ts')
  await writeNotices('NOTICES', metafile, yaml.metafile, svg.metafile)
  return outfile
}

/** The same of the operator, `dist/operator.js`. */
export const buildOperator = (): Promise<string> => program('operator', 'OPERATOR-NOTICES')

/** The same of the API server proxy, `dist/apiserver.js`. */
export const buildApiServer = (): Promise<string> => program('apiserver', 'APISERVER-NOTICES')

/**
 * The same of the recorder, `dist/recorder.js`, with `dist/recorder-s3.js` for those that keep recordings in S3, and the
 * files of its web page in `dist/recorder-web`.
 */
export async function buildRecorder(): Promise<string> {
  const [outfile, { metafile }] = await bundled('recorder', 'recorder/main.ts')
  const [, s3] = await bundled('recorder-s3', 'recorder/s3/sdk.ts')
  await writeNotices('RECORDER-NOTICES', metafile, s3.metafile, await bundlePage())
  return outfile
}

/** Bundles what browsers get of the recorder. */
async function bundlePage(): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['recorder/web/browser/play.ts', 'recorder/web/browser/style.css'],
    outdir: join(root, 'dist', 'recorder-web'),
    bundle: true,
    platform: 'browser',
    target: 'es2024',
    format: 'iife',
    minify: true,
    legalComments: 'none',
    logLevel: 'warning',
    metafile: true,
  })
  return metafile
}

/** requireBuiltins takes all of Node's modules that are left. */
const plugins = {
  agent: () => [
    apart(/\/yaml\.ts$/, './yaml.js'),
    apart(/\/svg\.ts$/, './svg.js'),
    execaParts(),
    requireBuiltins,
    undiciParts(),
  ],
  yaml: () => [requireBuiltins],
  svg: () => [requireBuiltins],
  operator: () => [clientNodeParts(), requireBuiltins, undiciParts()],
  apiserver: () => [requireBuiltins, undiciParts()],
  recorder: () => [apart(/\/s3\/sdk\.ts$/, './recorder-s3.js'), requireBuiltins, undiciParts()],
  'recorder-s3': () => [requireBuiltins],
} as const

/** Bundles `<name>/main.ts`, and writes the licences of what is in it. */
async function program(name: 'operator' | 'apiserver', licences: string): Promise<string> {
  const [outfile, { metafile }] = await bundled(name, `${name}/main.ts`)
  await writeNotices(licences, metafile)
  return outfile
}

/** Bundles a file with all that it imports into `dist/<name>.js`. */
async function bundled(name: keyof typeof plugins, entry: string) {
  const outfile = join(root, 'dist', `${name}.js`)
  await mkdir(dirname(outfile), { recursive: true })
  const built = await build({
    absWorkingDir: root,
    entryPoints: [entry],
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
    plugins: plugins[name](),
    // An ES module has no `require`, which CommonJS packages and requireBuiltins call.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: 'warning',
    metafile: true,
  })
  return [outfile, built] as const
}

/** Leaves out of a bundle what is one of its own, beside it. */
const apart = (filter: RegExp, path: string): Plugin => ({
  name: 'apart',
  setup: (bundle) =>
    bundle.onResolve({ filter }, ({ kind }) => (kind === 'entry-point' ? null : { path, external: true })),
})

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

/** The licences of what packages have compiled in, which they do not bring themselves. */
const within: Readonly<Record<string, readonly string[]>> = {
  '@hpcc-js/wasm-graphviz': [join(import.meta.dirname, 'graphviz-notices.txt')],
}

/** Writes the licences of all packages with code in the bundles. */
async function writeNotices(licences: string, ...bundles: readonly Metafile[]): Promise<void> {
  const inputs = bundles
    .flatMap(({ outputs }) => Object.values(outputs))
    .flatMap((output) => Object.entries(output.inputs))
  const used = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path)
  const packages = new Set(used.flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []))
  // Within the files of the first one.
  if (packages.has('asciinema-player')) packages.add('solid-js')
  const read = [...packages].toSorted().map(async (name) => {
    const files = [await licenceOf(name), ...(within[name] ?? [])]
    const parts = await Promise.all(files.map((file) => readFile(file, 'utf8')))
    return { name, text: parts.map((part) => part.trim()).join('\n\n') }
  })
  // Many of one project have the same.
  const texts = [...Map.groupBy(await Promise.all(read), ({ text }) => text)].map(
    ([text, all]) => `${all.map(({ name }) => name).join('\n')}\n\n${text}\n`,
  )
  await writeFile(join(root, 'dist', licences), texts.join(`\n${'-'.repeat(80)}\n\n`))
}

/** The file with the licence of a package. Some of AWS lack it; that which they name is the project's own. */
async function licenceOf(name: string): Promise<string> {
  const folder = join(root, 'node_modules', name)
  const file = (await readdir(folder)).find((found) => /^licen[cs]e/i.test(found))
  if (file !== undefined) return join(folder, file)
  if (/"license": "Apache-2.0"/.test(await readFile(join(folder, 'package.json'), 'utf8'))) return join(root, 'LICENSE')
  throw new Error(`the package ${name} has no licence, which belongs into the image`)
}

if (import.meta.main) {
  for (const make of [buildAgent, buildOperator, buildApiServer, buildRecorder]) console.log(await make())
}
