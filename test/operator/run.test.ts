import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runOperator } from '../../operator/run.ts'
import { VirtualClock } from '../lib/virtual-clock.ts'

test('the reason of an end by a failure is left where kubelet shows it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'culvert-'))
  try {
    const terminationLog = join(folder, 'termination-log')
    writeFileSync(terminationLog, '')
    const lines: string[] = []
    const code = await runOperator({
      env: {},
      write: (line) => lines.push(line),
      print: () => undefined,
      onSignal: () => undefined,
      onUncaught: () => undefined,
      clock: new VirtualClock(),
      version: '1',
      terminationLog,
    })
    const reason = readFileSync(terminationLog, 'utf8')
    expect([code, reason]).toEqual([1, expect.stringContaining('CLIENT_ID_FILE')])
    expect(lines.at(-1)).toContain(`error: ${reason}`)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
