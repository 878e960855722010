// Runs in a host: node client-node.ts POD MARK
// Uses @kubernetes/client-node, by the kubeconfig in KUBECONFIG, and prints what came of it, as all such programs.
import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import {
  CoreV1Api,
  Exec,
  KubeConfig,
  PortForward,
  type V1ConfigMap,
  type V1Status,
  Watch,
} from '@kubernetes/client-node'

const [pod = '', mark = ''] = process.argv.slice(2)
const namespace = 'default'
const config = new KubeConfig()
config.loadFromDefault()
const api = config.makeApiClient(CoreV1Api)

/** What a watch tells of a ConfigMap that is made and removed meanwhile. */
async function watched(): Promise<readonly string[]> {
  const { metadata } = await api.listNamespacedConfigMap({ namespace })
  await api.createNamespacedConfigMap({ namespace, body: { metadata: { name: mark } } })
  const seen: string[] = []
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const told = (kind: string, object: V1ConfigMap): void => {
    seen.push(`${kind.toLowerCase()} ${object.metadata?.name}`)
    if (kind === 'DELETED') resolve()
    else api.deleteNamespacedConfigMap({ namespace, name: mark }).catch(reject)
  }
  const which = { fieldSelector: `metadata.name=${mark}`, resourceVersion: metadata?.resourceVersion }
  const path = `/api/v1/namespaces/${namespace}/configmaps`
  const watch = await new Watch(config).watch(path, which, told, (error) => reject(error ?? new Error('it has ended')))
  await promise
  watch.abort()
  return seen
}

/** What a command prints, and its exit code. */
async function run(command: readonly string[], input: string | null): Promise<{ output: string; code: number }> {
  const output = new PassThrough()
  const status = Promise.withResolvers<V1Status>()
  const stdin = input === null ? null : Readable.from([input])
  const printed = text(output)
  await new Exec(config).exec(namespace, pod, 'main', [...command], output, null, stdin, false, status.resolve)
  const { details } = await status.promise
  output.end()
  const cause = details?.causes?.find(({ reason }) => reason === 'ExitCode')
  return { output: await printed, code: Number(cause?.message ?? 0) }
}

/** The name that the echo server in the Pod gives through a forwarded port. */
async function forwarded(): Promise<string> {
  const [input, output] = [new PassThrough(), new PassThrough()]
  await new PortForward(config).portForward(namespace, pod, [7000], output, null, input)
  input.write('hello\n')
  let answer = ''
  while (!answer.includes('\n')) answer += String((await once(output, 'data'))[0])
  return (JSON.parse(answer) as { host: string }).host
}

const { items } = await api.listNamespacedPod({ namespace })
const result = {
  pods: items.map(({ metadata }) => metadata?.name),
  watched: await watched(),
  echoed: (await run(['cat'], 'typed')).output,
  code: (await run(['sh', '-c', 'exit 3'], null)).code,
  forwarded: await forwarded(),
}
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0))
