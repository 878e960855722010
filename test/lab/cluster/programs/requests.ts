// Runs in the network of the API server: node requests.ts KUBECONFIG
// Each line of its input is a request (ApiRequest), each of its output the answer to one (ApiAnswer), in any order.
import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'

export type ApiRequest = {
  readonly id: number
  readonly path: string
  readonly method: 'GET' | 'PATCH'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
  /** Milliseconds. */
  readonly timeout: number
}

/** What the server says, or why it says nothing. */
export type ApiAnswer = { readonly id: number } & (
  | { readonly status: number; readonly body: string }
  | { readonly error: string }
)

type Kubeconfig = {
  readonly clusters: readonly [{ readonly cluster: Readonly<Record<string, string>> }]
  readonly users: readonly [{ readonly user: { readonly token: string } }]
}

const { clusters, users } = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as Kubeconfig
const { server = '', 'certificate-authority-data': authority = '' } = clusters[0].cluster
const ca = Buffer.from(authority, 'base64')
const authorization = `Bearer ${users[0].user.token}`
const agent = new Agent({ keepAlive: true })

/** Sends a request, and again if the API server had closed the kept connection: doing these twice does no harm. */
function send(asked: ApiRequest): Promise<{ status: number; body: string }> {
  const { path, method, headers, body, timeout } = asked
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeout)
    const options = { ca, agent, signal, method, headers: { authorization, ...headers } }
    const outgoing = request(new URL(path, server), options, (answer) => {
      text(answer).then((content) => resolve({ status: answer.statusCode ?? 0, body: content }), reject)
    })
    outgoing
      .on('error', (error) => (outgoing.reusedSocket && !signal.aborted ? resolve(send(asked)) : reject(error)))
      .end(body)
  })
}

async function answerTo(asked: ApiRequest): Promise<ApiAnswer> {
  try {
    return { id: asked.id, ...(await send(asked)) }
  } catch (error) {
    return { id: asked.id, error: String(error) }
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  void answerTo(JSON.parse(line) as ApiRequest).then((answer) => console.log(JSON.stringify(answer)))
}
process.exit()
