import { execa } from 'execa'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { CulvertError } from '../../../lib/errors.ts'

/**
 * Runs `work` while no other process holds the lock on `file`. The kernel keeps the lock, so a holder that died, for
 * whatever reason, no longer holds it. `waiting` is called with the holder, every second.
 */
export async function withLock<T>(file: string, work: () => Promise<T>, waiting: (holder: string) => void): Promise<T> {
  await mkdir(dirname(file), { recursive: true })
  // flock(1) takes the lock and then runs `cat`, which echoes, and ends with its input: at the latest with this
  // process.
  const keeper = execa('flock', ['--exclusive', file, 'cat'], { buffer: false, reject: false })
  const asking = setInterval(() => void holder(file).then(waiting), 1000)
  const first = setTimeout(() => void holder(file).then(waiting), 150)
  try {
    await new Promise<void>((resolve, reject) => {
      keeper.stdout.once('data', () => resolve())
      void keeper.then((result) =>
        reject(new CulvertError('command', `no lock on ${file}: ${result.message ?? 'flock ended'}`)),
      )
      keeper.stdin.on('error', reject)
      keeper.stdin.write('held\n')
    })
  } finally {
    clearInterval(asking)
    clearTimeout(first)
  }
  try {
    await writeFile(file, `${process.pid}\n`)
    return await work()
  } finally {
    await writeFile(file, '')
    keeper.stdin.end()
    await keeper
  }
}

async function holder(file: string): Promise<string> {
  const pid = (await readFile(file, 'utf8').catch(() => '')).trim()
  return pid === '' ? 'another process' : `process ${pid}`
}
