import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import type { Readable, Writable } from 'node:stream'
import { poll } from './poll.ts'

type Message = {
  readonly id?: number
  readonly result?: object
  readonly error?: { readonly message: string }
  readonly method?: string
  readonly params?: object
  readonly sessionId?: string
}

/**
 * Debian's headless Chromium, controlled by the DevTools protocol: JSON messages, each ended by a zero byte. It ends with
 * its pipe. What it keeps, and the authorities that it trusts, are in its home.
 */
export class Browser implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #commands: Writable
  readonly #waiting = new Map<number, (message: Message) => void>()
  readonly #pages = new Map<string, (method: string, params: object) => void>()
  #calls = 0

  private constructor(process: ChildProcess) {
    this.#process = process
    this.#commands = process.stdio[3] as Writable
    let rest = ''
    ;(process.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => {
      const messages = (rest + text).split('\0')
      rest = messages.pop() ?? ''
      for (const message of messages) this.#take(JSON.parse(message) as Message)
    })
  }

  static start(home: string): Browser {
    return new Browser(
      spawn(
        'chromium-headless-shell',
        // Chromium has no sandbox for root, and /dev/shm is shared with the machine.
        ['--no-sandbox', '--disable-dev-shm-usage', `--user-data-dir=${home}/browser`, '--remote-debugging-pipe'],
        { stdio: ['ignore', 'ignore', 'inherit', 'pipe', 'pipe'], env: { ...process.env, HOME: home } },
      ),
    )
  }

  /** Calls a method of the browser, or of a page of it; gives the result. */
  async call<Result>(method: string, params: object = {}, sessionId?: string): Promise<Result> {
    this.#calls += 1
    const id = this.#calls
    const { result, error } = await new Promise<Message>((resolve) => {
      this.#waiting.set(id, resolve)
      this.#commands.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    })
    if (error !== undefined) throw new Error(`${method}: ${error.message}`)
    return result as Result
  }

  /** Opens an empty page. */
  async page(): Promise<BrowserPage> {
    const { targetId } = await this.call<{ targetId: string }>('Target.createTarget', { url: 'about:blank' })
    const { sessionId } = await this.call<{ sessionId: string }>('Target.attachToTarget', { targetId, flatten: true })
    const page = new BrowserPage((method, params) => this.call(method, params, sessionId))
    this.#pages.set(sessionId, (method, params) => page.happened(method, params))
    await page.begin()
    return page
  }

  #take({ id, method, params = {}, sessionId, ...answer }: Message): void {
    if (method !== undefined) return this.#pages.get(sessionId ?? '')?.(method, params)
    this.#waiting.get(id ?? 0)?.(answer)
    this.#waiting.delete(id ?? 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, 'exit')
    await this.call('Browser.close')
    await ended
  }
}

type Call = <Result>(method: string, params?: object) => Promise<Result>

/** A page of a browser. */
export class BrowserPage {
  readonly #call: Call
  /** What the page has complained about: errors of its scripts, and what its policy has kept it from. */
  readonly problems: string[] = []
  /** Everything that the page has asked a server for; a browser's own pictures are not. */
  readonly requests: string[] = []

  constructor(call: Call) {
    this.#call = call
  }

  async begin(): Promise<void> {
    for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await this.#call(`${domain}.enable`)
  }

  happened(method: string, params: object): void {
    if (method === 'Network.requestWillBeSent') {
      const { url } = (params as { readonly request: { readonly url: string } }).request
      if (!url.startsWith('data:')) this.requests.push(url)
    }
    if (['Runtime.exceptionThrown', 'Log.entryAdded'].includes(method)) this.problems.push(JSON.stringify(params))
  }

  /** Goes to an address; gives the error that the browser shows, such as `net::ERR_FAILED`, if it does. */
  async go(url: string): Promise<string | undefined> {
    const { errorText } = await this.#call<{ errorText?: string }>('Page.navigate', { url })
    if (errorText === undefined) await this.until('document.readyState === "complete"')
    return errorText
  }

  /** The value of an expression in the page, which may be a promise. */
  async value<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.#call<{
      result: { value: T }
      exceptionDetails?: { exception?: { description?: string } }
    }>('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? 'an exception in the page')
    return result.value
  }

  /** Resolves to the value of an expression as soon as it is one that counts as true. */
  until<T>(expression: string): Promise<NonNullable<T>> {
    // A page that goes away in between has no values.
    return poll(expression, async () => (await this.value<T>(expression).catch(() => undefined)) || undefined, 50)
  }

  /** Presses a key, such as `Tab`, `Enter` or `a`. */
  async press(key: string, text = key.length === 1 ? key : { Enter: '\r' }[key]): Promise<void> {
    const windowsVirtualKeyCode = { Tab: 9, Enter: 13, ' ': 32, ArrowRight: 39, ArrowLeft: 37 }[key]
    const pressed = { key, code: key === ' ' ? 'Space' : key, windowsVirtualKeyCode }
    await this.#call('Input.dispatchKeyEvent', {
      type: text === undefined ? 'rawKeyDown' : 'keyDown',
      text,
      ...pressed,
    })
    await this.#call('Input.dispatchKeyEvent', { type: 'keyUp', ...pressed })
  }

  /** How wide the page is, and what its reader prefers. */
  async look({
    width = 1200,
    height = 900,
    scheme = 'light',
  }: {
    width?: number
    height?: number
    scheme?: 'light' | 'dark'
  }): Promise<void> {
    await this.#call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false })
    await this.#call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] })
  }

  /** What assistive programs are told: roles with names, in order. */
  async told(): Promise<string[]> {
    type Node = { ignored: boolean; role?: { value: string }; name?: { value: string } }
    const { nodes } = await this.#call<{ nodes: Node[] }>('Accessibility.getFullAXTree')
    return nodes
      .filter(({ ignored, name }) => !ignored && name?.value)
      .map(({ role, name }) => `${role?.value ?? ''} ${name!.value}`)
  }

  async screenshot(path: string): Promise<void> {
    const { data } = await this.#call<{ data: string }>('Page.captureScreenshot', { captureBeyondViewport: true })
    await writeFile(path, Buffer.from(data, 'base64'))
  }
}
