import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CulvertError } from '../../../lib/errors.ts'
import type { KubeObject } from './kubectl.ts'
import type { ApiAnswer, ApiRequest } from './programs/requests.ts'
import { type Discovered, resourcesOf, type Resource } from './resources.ts'

type Asked = Omit<ApiRequest, 'id'>

const program = join(import.meta.dirname, 'programs/requests.ts')
const plain = { accept: 'application/json' }
const discovery = { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' }
const apply = { ...plain, 'content-type': 'application/apply-patch+yaml' }

/**
 * Does what `kubectl get` and `kubectl apply --server-side` do, by one process in the network of the API server: tests
 * look again and again, and each kubectl needs many times the processor time of the request itself.
 */
export class DirectApi {
  readonly #child: ChildProcess
  /** Milliseconds for one request. */
  readonly #timeout: number
  readonly #waiting = new Map<number, (answer: ApiAnswer) => void>()
  #last = 0
  #resources: readonly Resource[] = []

  /** `enter` is the beginning of a command that runs the rest in the network of the API server. */
  constructor(enter: readonly string[], kubeconfig: string, timeout: number) {
    this.#timeout = timeout
    // It ends with this process, however that ends.
    const tied = ['setpriv', '--pdeathsig', 'KILL', '--']
    const [command, ...args] = [...tied, ...enter, ...tied, process.execPath, program, kubeconfig]
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      const answer = JSON.parse(line) as ApiAnswer
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
    })
    this.#child.once('close', () => {
      for (const [id, answer] of this.#waiting) answer({ id, error: 'the bed is down' })
      this.#waiting.clear()
    })
    // It may end while something is asked.
    this.#child.stdin!.on('error', () => undefined)
    this.#child.unref()
    for (const one of this.#pipes) one.unref()
  }

  /** An object, or undefined without one. */
  async get<T>(kind: string, name: string, namespace: string): Promise<T | undefined> {
    const path = `${(await this.#named(kind)).path(namespace)}/${name}`
    const { status, body } = await this.#ask({ path, method: 'GET', headers: plain, timeout: this.#timeout })
    return status === 404 ? undefined : (withoutManagers(parsed(path, status, body) as KubeObject) as T)
  }

  /** All objects of some kinds, with commas between them, of one namespace or of all. */
  async list<T>(
    kinds: string,
    namespace: string | undefined,
    { timeout = this.#timeout, selector }: { readonly timeout?: number; readonly selector?: string },
  ): Promise<T[]> {
    const query = selector === undefined ? '' : `?labelSelector=${encodeURIComponent(selector)}`
    const lists = kinds.split(',').map(async (name) => {
      const { path: of, apiVersion, kind } = await this.#named(name)
      const path = of(namespace) + query
      const { status, body } = await this.#ask({ path, method: 'GET', headers: plain, timeout })
      const { items } = parsed(path, status, body) as { items: KubeObject[] }
      return items.map((item) => withoutManagers({ ...item, apiVersion, kind }) as T)
    })
    return (await Promise.all(lists)).flat()
  }

  /** Creates an object, or updates it. */
  async apply(object: KubeObject): Promise<void> {
    const { apiVersion, kind, metadata } = object
    const resource = await this.#resource(
      `${kind} of ${apiVersion}`,
      (one) => one.kind === kind && one.apiVersion === apiVersion,
    )
    const path = `${resource.path(metadata.namespace ?? 'default')}/${metadata.name}`
    const how = '?fieldManager=kubectl&force=true&fieldValidation=Strict'
    const body = JSON.stringify(object)
    const answer = await this.#ask({
      path: path + how,
      method: 'PATCH',
      headers: apply,
      body,
      timeout: this.#timeout,
    })
    parsed(path, answer.status, answer.body)
  }

  /** Returns when the process has ended, and no longer keeps the network. */
  async end(): Promise<void> {
    if (this.#ended) return
    this.#child.ref()
    for (const one of this.#pipes) one.ref()
    this.#child.kill('SIGKILL')
    await once(this.#child, 'close')
  }

  /** They keep this process only while something is asked: a program need not know that it has another one. */
  get #pipes(): readonly Socket[] {
    return [this.#child.stdin, this.#child.stdout] as unknown as readonly Socket[]
  }

  get #ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  #named(kind: string): Promise<Resource> {
    return this.#resource(kind, ({ names }) => names.includes(kind.toLowerCase()))
  }

  /** The first that is meant. A kind may have been defined since it was last asked which there are. */
  async #resource(what: string, isMeant: (one: Resource) => boolean): Promise<Resource> {
    const known = this.#resources.find(isMeant)
    if (known !== undefined) return known
    const groups = ['/api', '/apis'].map(async (path) => {
      const { status, body } = await this.#ask({ path, method: 'GET', headers: discovery, timeout: this.#timeout })
      return (parsed(path, status, body) as { items: Discovered[] }).items
    })
    this.#resources = resourcesOf((await Promise.all(groups)).flat())
    const found = this.#resources.find(isMeant)
    if (found !== undefined) return found
    throw new CulvertError('command', `the API server has no resource ${what}`)
  }

  async #ask(asked: Asked): Promise<{ status: number; body: string }> {
    if (this.#ended) throw new CulvertError('command', `${asked.path}: the bed is down`)
    this.#last += 1
    const request: ApiRequest = { id: this.#last, ...asked }
    for (const one of this.#pipes) one.ref()
    const answer = await new Promise<ApiAnswer>((resolve) => {
      this.#waiting.set(request.id, resolve)
      this.#child.stdin!.write(`${JSON.stringify(request)}\n`)
    })
    if (this.#waiting.size === 0) for (const one of this.#pipes) one.unref()
    if ('error' in answer) throw new CulvertError('command', `${asked.path}: ${answer.error}`)
    return answer
  }
}

function parsed(path: string, status: number, body: string): unknown {
  if (status === 200 || status === 201) return JSON.parse(body)
  throw new CulvertError('command', `${path}: ${status} ${messageIn(body)}`)
}

/** What the API server says, in words. */
function messageIn(body: string): string {
  try {
    return String((JSON.parse(body) as { message: unknown }).message)
  } catch {
    return body
  }
}

/** As kubectl shows it: without who set which field. */
function withoutManagers({ metadata, ...object }: KubeObject): unknown {
  const { managedFields: _, ...rest } = metadata
  return { ...object, metadata: rest }
}
