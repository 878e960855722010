import * as z from 'zod/mini'
import { UserError } from '../../kube/controller/controller.ts'
import { keyOf, type KubeObject } from '../../kube/controller/object.ts'
import { parseAddress } from '../../lib/address.ts'
import { quote } from '../../lib/quote.ts'
import { mostNames, readBackendProtocols, readFqdn, readHostname, readNames, readTags } from './texts.ts'

export { proxyClassOf } from './class-of.ts'

type Parent = 'Service' | 'Ingress' | 'ProxyGroup' | 'ProxyClass' | 'Recorder'

export type Annotation<T> = {
  readonly name: string
  readonly on: readonly Parent[]
  /** For users, as Markdown. */
  readonly meaning: string
  /** What it may be, in words that follow "must be". */
  readonly accepts: string
  readonly schema: z.ZodMiniType<T, string>
  /** The only text of a switch that turns it on; all others leave it off. */
  readonly turnsOn?: string
}

const annotation = <T>(
  name: string,
  on: readonly Parent[],
  accepts: string,
  read: (text: string) => T | undefined,
  meaning: string,
): Annotation<T> => {
  const schema = z.pipe(
    z.string(),
    z.transform((text, context) => {
      const value = read(text.trim())
      if (value !== undefined) return value
      context.issues.push({ code: 'custom', message: `must be ${accepts}, not ${quote(text)}`, input: text })
      return z.NEVER
    }),
  )
  return { name, on, meaning, accepts, schema }
}

/** Tailscale's switches are off with any text but one. */
const turnedOn = (name: string, on: readonly Parent[], text: string, meaning: string): Annotation<boolean> => ({
  ...annotation(name, on, `\`${text}\``, (value) => value === text, meaning),
  turnsOn: text,
})

const choice =
  <T extends string>(...texts: readonly T[]) =>
  (text: string): T | undefined =>
    texts.find((one) => one === text)

const readBoolean = (text: string): boolean | undefined =>
  text === 'true' ? true : text === 'false' ? false : undefined
const nonEmpty = (text: string): string => text

const both = ['Service', 'Ingress'] as const
const service = ['Service'] as const
const ingress = ['Ingress'] as const

/**
 * All annotations that users write. Those of Tailscale's operator have its names and meanings; `culvert/…` are what it
 * does not have. docs/operator-settings.md is made from this.
 */
export const annotations = {
  expose: turnedOn('tailscale.com/expose', service, 'true', 'L3 ingress: the Service is reachable from the tailnet.'),
  hostname: annotation(
    'tailscale.com/hostname',
    service,
    'letters, digits and hyphens between them, 63 at most',
    readHostname,
    'The name of the device in the tailnet. Without it: `NAMESPACE-NAME`.',
  ),
  tags: annotation(
    'tailscale.com/tags',
    both,
    'tags such as `tag:k8s`, separated by commas; a tag has letters, digits and hyphens, and begins with a letter',
    readTags,
    'The tags of a new device, instead of the default ones. An existing device keeps its own.',
  ),
  tailnetIp: annotation(
    'tailscale.com/tailnet-ip',
    service,
    'an IP address',
    parseAddress,
    'L3 egress: clients of the Service reach this address of the tailnet.',
  ),
  oldTailnetIp: annotation(
    'tailscale.com/ts-tailnet-target-ip',
    service,
    'an IP address',
    parseAddress,
    'The old name of `tailscale.com/tailnet-ip`, which counts if both are there.',
  ),
  tailnetFqdn: annotation(
    'tailscale.com/tailnet-fqdn',
    service,
    'a full name such as `db.example.ts.net`',
    readFqdn,
    'L3 egress: clients of the Service reach the device with this name.',
  ),
  proxyGroup: annotation(
    'tailscale.com/proxy-group',
    both,
    'the name of a ProxyGroup',
    nonEmpty,
    'The proxies of this group serve the object, which has no proxy of its own then.',
  ),
  proxyClass: annotation(
    'tailscale.com/proxy-class',
    both,
    'the name of a ProxyClass',
    nonEmpty,
    'The ProxyClass of the proxy. A label of the same name counts before the annotation.',
  ),
  funnel: turnedOn('tailscale.com/funnel', ingress, 'true', 'The Ingress is reachable from the internet, too.'),
  httpRedirect: turnedOn('tailscale.com/http-redirect', ingress, 'true', 'Port 80 redirects to HTTPS.'),
  httpEndpoint: turnedOn('tailscale.com/http-endpoint', ingress, 'enabled', 'Port 80 serves the same as HTTPS.'),
  forwardClusterTraffic: turnedOn(
    'tailscale.com/experimental-forward-cluster-traffic-via-ingress',
    ingress,
    'true',
    'The proxy serves on the address of its Pod, too.',
  ),
  shareAcmeAccount: annotation(
    'tailscale.com/share-acme-account',
    ['ProxyGroup'],
    '`true` or `false`',
    readBoolean,
    'Whether the proxies of the group share an ACME account with those of other groups. Without it: as `OPERATOR_SHARED_ACME_ACCOUNT_KEY` says.',
  ),
  unprivileged: annotation(
    'culvert/unprivileged',
    service,
    '`true` or `false`',
    readBoolean,
    'L3 ingress by a proxy that needs no privileges. It connects to the ports of the Service itself.',
  ),
  proxyProtocol: annotation(
    'culvert/proxy-protocol',
    service,
    '`1` or `2`',
    (text) => ({ '1': 1, '2': 2 } as const)[text],
    'L3 ingress: tells backends the address of the client by this version of the PROXY protocol.',
  ),
  allowFrom: annotation(
    'culvert/allow-from',
    service,
    `\`*\`, or names of namespaces separated by commas or as a list of YAML, ${mostNames} at most`,
    readNames,
    'L3 egress: a NetworkPolicy lets only Pods of these namespaces use the proxy, or of a group the ports for this Service; an empty list lets none.',
  ),
  backendProtocol: annotation(
    'culvert/backend-protocol',
    ingress,
    '`HTTP`, `HTTPS` or `HTTPS+INSECURE`, or a list such as `8443=HTTPS,web=HTTP` with ports of Services',
    readBackendProtocols,
    'How backends are spoken to. `HTTPS` verifies their certificates. What is without a port is for all other ports.',
  ),
  volume: annotation(
    'culvert/volume',
    ['Recorder'],
    'a size such as `20Gi`',
    (text) => (/^[1-9][0-9]{0,14}(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$/.test(text) ? text : undefined),
    'Each replica keeps its recordings, or what waits for S3, on a PersistentVolumeClaim of this size, which stays when the Pod and the Recorder go. Without it, they go with the Pod.',
  ),
  volumeClass: annotation(
    'culvert/volume-class',
    ['Recorder'],
    'the name of a StorageClass',
    nonEmpty,
    'The StorageClass of `culvert/volume`. Without it: that of the cluster.',
  ),
  agent: annotation(
    'culvert/agent',
    ['ProxyClass'],
    '`culvert` or `upstream`',
    choice('culvert', 'upstream'),
    'Which agent the image of the class has: Culvert’s, or that of Tailscale.',
  ),
} as const

type Table = typeof annotations
export type Annotations = {
  readonly [Key in keyof Table]?: Table[Key] extends Annotation<infer T> ? T : never
}

const all: readonly [string, Annotation<unknown>][] = Object.entries(annotations)
/** Whether an annotation is for objects of this kind. */
export const isParent = (annotated: Annotation<unknown>, kind: string): boolean =>
  annotated.on.some((one) => one === kind)

/** The text of an annotation, whatever it is; undefined if it is absent or empty. */
export const textOf = ({ metadata }: KubeObject, key: keyof Table): string | undefined =>
  metadata.annotations?.[annotations[key].name]?.trim() || undefined

/**
 * The values of an object's annotations; those that are absent or empty are undefined.
 * @throws UserError that names all that are malformed; `reason` is its reason
 */
export function readAnnotations(object: KubeObject, reason: string): Annotations {
  const { values, problems } = examine(object)
  if (problems.length === 0) return values
  throw new UserError(reason, problems.join('; '), `Correct or remove ${problems.length > 1 ? 'them' : 'it'}.`)
}

/** Whether none of an object's annotations is malformed. */
export const areAnnotationsValid = (object: KubeObject): boolean => examine(object).problems.length === 0

function examine(object: KubeObject): { readonly values: Annotations; readonly problems: readonly string[] } {
  const values: Record<string, unknown> = {}
  const problems: string[] = []
  for (const [key, annotated] of all) {
    const text = object.metadata.annotations?.[annotated.name]?.trim()
    if (!text || !isParent(annotated, object.kind)) continue
    const { data, error } = z.safeParse(annotated.schema, text)
    if (error === undefined) values[key] = data
    else problems.push(`annotation ${annotated.name} ${error.issues[0]?.message.replaceAll('`', '"')}`)
  }
  return { values, problems }
}

/** For messages: `Service "ns/name"`. */
export const called = ({ kind, metadata }: KubeObject): string => `${kind} "${keyOf(metadata)}"`
