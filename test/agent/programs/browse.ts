// Runs in a host: node browse.ts URL; prints a `Browsed` as JSON.
// Opens a page in Debian's headless Chromium, controlled by the DevTools protocol: JSON messages, each ended by a zero
// byte.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { homedir } from 'node:os'
import type { Readable, Writable } from 'node:stream'

/**
 * The JSON that a page left in its `output` element, or the error that the browser shows, such as `net::ERR_FAILED`.
 */
export type Browsed = { readonly output: unknown } | { readonly refused: string }

const patience = 60_000
const [url = ''] = process.argv.slice(2)

const browser = spawn(
  'chromium-headless-shell',
  // Chromium has no sandbox for root, and /dev/shm is shared with the machine. The browser ends with the pipe.
  ['--no-sandbox', '--disable-dev-shm-usage', `--user-data-dir=${homedir()}/browser`, '--remote-debugging-pipe'],
  { stdio: ['ignore', 'ignore', 'inherit', 'pipe', 'pipe'] },
)
const [commands, answers] = [browser.stdio[3] as Writable, browser.stdio[4] as Readable]

type Message = { readonly id?: number; readonly result?: object; readonly error?: { readonly message: string } }

const waiting = new Map<number, (message: Message) => void>()
let rest = ''
answers.setEncoding('utf8').on('data', (text: string) => {
  const messages = (rest + text).split('\0')
  rest = messages.pop() ?? ''
  for (const message of messages.map((one) => JSON.parse(one) as Message)) waiting.get(message.id ?? 0)?.(message)
})

/** Calls a method of the browser, or of a page of it; returns the result. */
async function call<Result>(method: string, params: object, sessionId?: string): Promise<Result> {
  const id = waiting.size + 1
  const { result, error } = await new Promise<Message>((resolve) => {
    waiting.set(id, resolve)
    commands.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
  })
  if (error !== undefined) throw new Error(`${method}: ${error.message}`)
  return result as Result
}

async function browse(): Promise<Browsed> {
  const { targetId } = await call<{ targetId: string }>('Target.createTarget', { url: 'about:blank' })
  const { sessionId } = await call<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true })
  const { errorText } = await call<{ errorText?: string }>('Page.navigate', { url }, sessionId)
  if (errorText !== undefined) return { refused: errorText }
  const expression = `new Promise((resolve) => {
    const timer = setInterval(() => {
      const text = document.querySelector('output')?.textContent
      if (text) resolve(text, clearInterval(timer))
    }, 20)
  })`
  const evaluation = { expression, awaitPromise: true, returnByValue: true }
  const { result } = await call<{ result: { value: string } }>('Runtime.evaluate', evaluation, sessionId)
  return { output: JSON.parse(result.value) as unknown }
}

setTimeout(() => {
  console.error(`the browser has not shown ${url} within ${patience} ms`)
  process.exit(1)
}, patience).unref()
console.log(JSON.stringify(await browse()))
const ended = once(browser, 'exit')
await call('Browser.close', {})
await ended
