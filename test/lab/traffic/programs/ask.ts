// Runs in a host: node ask.ts QUESTIONS (JSON: a list of ProbeSettings, each with `data`)
// Exchanges one message with an echo server for each, all at once. Prints the list of results: answers with the time
// they took in milliseconds (Answer), or error codes.
import type { Answer, Echo, ProbeSettings } from '../protocol.ts'
import { exchange } from './exchange.ts'

type Question = ProbeSettings & { readonly data: string }

async function ask({ data, ...settings }: Question): Promise<Answer | string> {
  const started = performance.now()
  try {
    const echo = JSON.parse(await exchange(settings, data)) as Echo
    return { ...echo, took: Math.round((performance.now() - started) * 100) / 100 }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  }
}

const questions = JSON.parse(process.argv[2] ?? '[]') as Question[]
console.log(JSON.stringify(await Promise.all(questions.map(ask))))
