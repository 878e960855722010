// Runs inside a host: node ask.ts SETTINGS (JSON of ProbeSettings, with `data`)
// One exchange with an echo backend: prints its answer with the milliseconds it took (an Answer), or what went wrong, and says so by its exit code.
import type { Answer, Echo, ProbeSettings } from '../protocol.ts'
import { exchange } from './exchange.ts'

const { data, ...settings } = JSON.parse(process.argv[2] ?? '{}') as ProbeSettings & { data: string }
try {
  const started = performance.now()
  const echo = JSON.parse(await exchange(settings, data)) as Echo
  console.log(JSON.stringify({ ...echo, took: Math.round((performance.now() - started) * 100) / 100 } satisfies Answer))
} catch (error) {
  console.error(
    `${settings.protocol} ${settings.to} port ${settings.port}: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
  )
  process.exitCode = 1
}
