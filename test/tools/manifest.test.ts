import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { operatorManifest } from '../../tools/manifest.ts'

it('docs/examples/operator.yaml is what `npm run format` makes of the chart', async () => {
  const file = join(import.meta.dirname, '../../docs/examples/operator.yaml')
  expect(readFileSync(file, 'utf8')).toBe(await operatorManifest())
})
