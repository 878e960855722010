// Runs in a host: node load.ts FILE
// Loads a ruleset into an empty network namespace. Prints as JSON { took, memory }: the milliseconds of nft, and the
// MiB by which the kernel's unreclaimable memory grew: slabs, vmalloc and per-CPU memory. The latter is of the whole
// machine, so it includes noise.
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { runCommand } from '../../lib/command.ts'

const input = readFileSync(process.argv[2] ?? '', 'utf8')
const parts = new Set(['SUnreclaim', 'VmallocUsed', 'Percpu'])

function kernelMemory(): number {
  const fields = [...readFileSync('/proc/meminfo', 'utf8').matchAll(/^(\w+):\s+(\d+) kB$/gm)]
  return fields.reduce((sum, [, name = '', amount]) => (parts.has(name) ? sum + Number(amount) / 1024 : sum), 0)
}

const nft = (args: string[], options = {}): Promise<string> =>
  runCommand('nft', args, { timeoutMs: 60_000, ...options })

await nft(['flush', 'ruleset'])
// Freed memory is given back a little later.
await delay(300)
const before = kernelMemory()
const begun = performance.now()
await nft(['-f', '-'], { input })
const took = performance.now() - begun
await delay(300)
console.log(JSON.stringify({ took, memory: kernelMemory() - before }))
