import { build, type BuildOptions } from 'esbuild'
import { expect, it } from 'vitest'
import { execaParts } from '../../tools/execa.ts'

const options = {
  stdin: { contents: "export { execa } from 'execa'", resolveDir: import.meta.dirname },
  bundle: true,
  write: false,
  metafile: true,
  platform: 'node',
  format: 'esm',
  logLevel: 'silent',
} as const satisfies BuildOptions

// Another version of execa may load these elsewhere: on an update, check what a start takes.
it('leaves out what only the log and execaSync of execa need', async () => {
  const { metafile } = await build({ ...options, plugins: [execaParts()] })
  const inputs = Object.keys(metafile.inputs).join('\n')
  expect(inputs).toMatch(/execa\/lib\/methods\/main-async\.js/)
  expect(inputs).not.toMatch(/figures|yoctocolors/)
  const imported = Object.values(metafile.inputs).flatMap(({ imports }) => imports.map(({ path }) => path))
  expect(imported).toContain('node:child_process')
  expect(imported).not.toContain('node:v8')
})

it('fails when a part that is left out does not exist any more', async () => {
  const moved = build({ ...options, plugins: [execaParts(['lib/verbose/moved.js'])] })
  await expect(moved).rejects.toThrow('execa has no lib/verbose/moved.js any more')
})
