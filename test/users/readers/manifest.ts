import { join } from 'node:path'
import { assignment, type Container, type Reader, readText } from './container.ts'
import { readYaml } from './yaml.ts'

type Reference = { readonly name: string; readonly key: string; readonly optional?: boolean }
type Variable = {
  readonly name: string
  readonly value?: unknown
  readonly valueFrom?: {
    readonly secretKeyRef?: Reference
    readonly configMapKeyRef?: Reference
    readonly fieldRef?: { readonly fieldPath: string }
  }
}
type Source = { readonly configMapRef?: { readonly name: string }; readonly secretRef?: { readonly name: string } }
type Probe = { readonly httpGet?: { readonly path: string; readonly port: number } }
type PodContainer = {
  readonly name: string
  readonly env?: readonly Variable[]
  readonly envFrom?: readonly Source[]
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
  readonly readinessProbe?: Probe
  readonly livenessProbe?: Probe
}
type Volume = { readonly name: string; readonly configMap?: { readonly name: string } }
type PodSpec = { readonly containers: readonly PodContainer[]; readonly volumes?: readonly Volume[] }
type Manifest = {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly data?: Readonly<Record<string, string>>
  readonly stringData?: Readonly<Record<string, string>>
  readonly spec?: PodSpec & { readonly template?: { readonly spec: PodSpec } }
}

/** What the fields of a Pod hold. */
const fields: Readonly<Record<string, string>> = {
  'metadata.name': 'pod-0',
  'metadata.uid': 'uid-0',
  'spec.nodeName': 'node-a',
}

/** Manifests for `kubectl apply`. */
export const readManifest: Reader = (directory, file, name) => containerOf(documents(directory, file), name)

const documents = (directory: string, file: string): Manifest[] => readYaml(readText(directory, file))

type Kustomization = {
  readonly resources?: readonly string[]
  readonly configMapGenerator?: readonly Generator[]
  readonly secretGenerator?: readonly Generator[]
}
type Generator = { readonly name: string; readonly literals?: readonly string[]; readonly files?: readonly string[] }

/** A kustomization: its resources, and what it generates for them. */
export const readKustomization: Reader = (directory, file, name) => {
  const [kustomization] = readYaml<Kustomization>(readText(directory, file))
  const { resources = [], configMapGenerator = [], secretGenerator = [] } = kustomization ?? {}
  const made = (kind: string, { name: generated, literals = [], files = [] }: Generator): Manifest => ({
    kind,
    metadata: { name: generated },
    stringData: Object.fromEntries([
      ...literals.map(assignment),
      ...files.map((one) => [one, readText(directory, one)]),
    ]),
  })
  return containerOf(
    [
      ...resources.flatMap((one) => documents(directory, one)),
      ...configMapGenerator.map((one) => made('ConfigMap', one)),
      ...secretGenerator.map((one) => made('Secret', one)),
    ],
    name,
  )
}

function containerOf(manifests: readonly Manifest[], name: string): Container {
  const specs = manifests.flatMap(({ spec }) => spec?.template?.spec ?? (spec?.containers === undefined ? [] : spec))
  const pod = specs.find(({ containers }) => containers.some((one) => one.name === name))
  const container = pod?.containers.find((one) => one.name === name)
  if (pod === undefined || container === undefined) throw new Error(`no Pod has a container ${name}`)
  const dataOf = (kind: string, object: string): Readonly<Record<string, string>> => {
    const found = manifests.find((one) => one.kind === kind && one.metadata.name === object)
    return { ...found?.data, ...found?.stringData }
  }
  const sources = (container.envFrom ?? []).map(({ configMapRef, secretRef }) =>
    configMapRef === undefined ? dataOf('Secret', secretRef?.name ?? '') : dataOf('ConfigMap', configMapRef.name),
  )
  const env: Record<string, string> = Object.assign({}, ...sources)
  for (const variable of container.env ?? []) {
    const value = valueOf(variable, env, dataOf)
    if (value !== undefined) env[variable.name] = value
  }
  const files = (container.volumeMounts ?? []).flatMap(({ name: volume, mountPath }) => {
    const content = pod.volumes?.find((one) => one.name === volume)?.configMap?.name
    const data = content === undefined ? {} : dataOf('ConfigMap', content)
    return [[mountPath, undefined], ...Object.entries(data).map(([key, text]) => [join(mountPath, key), text])]
  })
  const probes = [container.readinessProbe?.httpGet, container.livenessProbe?.httpGet].filter(
    (one) => one !== undefined,
  )
  return {
    env,
    mounts: (container.volumeMounts ?? []).map(({ mountPath }) => mountPath),
    files: Object.fromEntries(files),
    urls: probes.map(({ path, port }) => `http://127.0.0.1:${port}${path}`),
  }
}

function valueOf(
  { name, value, valueFrom }: Variable,
  before: Readonly<Record<string, string>>,
  dataOf: (kind: string, object: string) => Readonly<Record<string, string>>,
): string | undefined {
  if (valueFrom === undefined) {
    if (typeof value !== 'string') throw new Error(`the API server refuses the value of ${name}: ${String(value)}`)
    // Only what is listed before is known.
    return value.replaceAll(/\$\((\w+)\)/g, (reference, other) => before[other] ?? reference)
  }
  const { secretKeyRef, configMapKeyRef, fieldRef } = valueFrom
  if (fieldRef !== undefined) return fields[fieldRef.fieldPath]
  const reference = secretKeyRef ?? configMapKeyRef
  const kind = secretKeyRef === undefined ? 'ConfigMap' : 'Secret'
  const found = dataOf(kind, reference?.name ?? '')[reference?.key ?? '']
  if (found === undefined && reference?.optional !== true) throw new Error(`kubelet does not find ${kind} ${name}`)
  return found
}
