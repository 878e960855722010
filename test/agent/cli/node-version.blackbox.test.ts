import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../lab/run.ts'
import { bundle } from '../proxy.ts'

const olderNode = join(import.meta.dirname, 'programs/older-node.cjs')

test.each(['status', 'run', '--dest-ip=10.0.0.1'])('%s reports that this Node is too old', async (argument) => {
  const argv = [process.execPath, '--require', olderNode, bundle, argument]
  expect(await run(argv, { env: { PATH: '/nowhere' }, check: false })).toMatchObject({
    exitCode: 1,
    stderr: 'culvert: this is Node 22.22.0, and Node 24 or later is needed',
  })
})
