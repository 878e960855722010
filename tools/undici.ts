import { join, relative } from 'node:path'
import type { Plugin } from 'esbuild'

/**
 * The parts of undici that are bundled when a source imports it: clients and their requests, 290 kB. The whole package
 * is 1 MB and several MiB of memory in every Pod, for fetch, WebSocket, caches and mocks. No version promises these
 * paths, so that they are listed only here, and the build fails if a version has moved them.
 */
const parts = `
  const Dispatcher = require('undici/lib/dispatcher/dispatcher.js')
  Dispatcher.prototype.request = require('undici/lib/api/api-request.js')
  exports.Client = require('undici/lib/dispatcher/client.js')
  exports.Pool = require('undici/lib/dispatcher/pool.js')
  exports.buildConnector = require('undici/lib/core/connect.js')
`

/** Left out: HTTP/2, which is not offered to servers, and forms as bodies, which nothing sends. */
const unused = [
  'lib/dispatcher/client-h2.js',
  'lib/web/fetch/body.js',
  'lib/web/fetch/formdata.js',
  'lib/web/webidl/index.js',
]

/** undici's own flag for a build without its experimental second parser. */
export const undiciDefines = { esbuildDetection: 'true' }

const folder = join(import.meta.dirname, '../node_modules/undici')

/** Bundles the used parts of undici. The build fails unless it has met all of `leftOut`. */
export const undiciParts = (leftOut: readonly string[] = unused): Plugin => ({
  name: 'undici-parts',
  setup: (bundle) => {
    const left = new Set(leftOut.map((path) => join(folder, path)))
    bundle.onResolve({ filter: /^undici$/ }, () => ({ path: 'undici', namespace: 'undici-parts' }))
    bundle.onLoad({ filter: /.*/, namespace: 'undici-parts' }, () => ({ contents: parts, resolveDir: folder }))
    bundle.onLoad({ filter: /\/undici\/lib\// }, ({ path }) =>
      left.delete(path)
        ? { contents: 'module.exports = () => { throw new Error("this part of undici is not bundled") }' }
        : undefined,
    )
    bundle.onEnd(() => ({
      errors: [...left].map((path) => ({
        text: `undici has no ${relative(folder, path)} any more: see tools/undici.ts`,
      })),
    }))
  },
})
