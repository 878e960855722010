import { expect, it } from 'vitest'
import { bootLog } from '../../lib/log.ts'

it('writes lines in the format that scripts for upstream grep for, one per call', () => {
  const written: string[] = []
  const log = bootLog(
    (line) => written.push(line),
    () => new Date(2026, 0, 2, 3, 4, 5),
  )
  log('Startup complete, waiting for shutdown signal')
  log('one\nboot: two\r\n')
  expect(written).toEqual([
    'boot: 2026/01/02 03:04:05 Startup complete, waiting for shutdown signal\n',
    'boot: 2026/01/02 03:04:05 one; boot: two\n',
  ])
})
