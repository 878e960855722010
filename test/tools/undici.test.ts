import { build, type BuildOptions } from 'esbuild'
import { expect, it } from 'vitest'
import { undiciDefines, undiciParts } from '../../tools/undici.ts'

const options = {
  stdin: { contents: "export { buildConnector, Client, Pool } from 'undici'", resolveDir: import.meta.dirname },
  bundle: true,
  write: false,
  metafile: true,
  platform: 'node',
  define: undiciDefines,
  logLevel: 'silent',
} as const satisfies BuildOptions

// Another version of undici may move its files or load others: on an update, check this list, and the memory.
it('bundles only the parts of undici that are used', async () => {
  const { metafile } = await build({ ...options, plugins: [undiciParts()] })
  const parts = Object.keys(metafile.inputs).flatMap((path) => /undici\/lib\/(.*)\.js$/.exec(path)?.[1] ?? [])
  expect(parts.toSorted()).toMatchInlineSnapshot(`
    [
      "api/abort-signal",
      "api/api-request",
      "api/readable",
      "core/connect",
      "core/constants",
      "core/diagnostics",
      "core/errors",
      "core/request",
      "core/symbols",
      "core/tree",
      "core/util",
      "dispatcher/client",
      "dispatcher/client-h1",
      "dispatcher/client-h2",
      "dispatcher/dispatcher",
      "dispatcher/dispatcher-base",
      "dispatcher/fixed-queue",
      "dispatcher/pool",
      "dispatcher/pool-base",
      "llhttp/constants",
      "llhttp/llhttp-wasm",
      "llhttp/llhttp_simd-wasm",
      "llhttp/utils",
      "util/stats",
      "util/timers",
      "web/fetch/body",
      "web/fetch/formdata",
      "web/webidl/index",
    ]
  `)
})

it('fails when a part that is left out does not exist any more', async () => {
  const moved = build({ ...options, plugins: [undiciParts(['lib/dispatcher/moved.js'])] })
  await expect(moved).rejects.toThrow('undici has no lib/dispatcher/moved.js any more')
})
