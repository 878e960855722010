import { UserError } from '../../kube/controller/controller.ts'
import type { KubeObject } from '../../kube/controller/object.ts'
import { isJsonObject } from '../../lib/json.ts'
import type { Kind } from '../kind.ts'
import { annotationEvents } from '../objects/ignored.ts'
import { recorders } from '../objects/resources.ts'
import { httpsNotEnabled, noHttps } from '../proxy/https.ts'
import type { Device, Special } from '../proxy/request.ts'
import { isUp, readiness, type Words } from '../proxy/readiness.ts'
import { overlay } from '../proxy-class/overlay.ts'
import { agentVariables, recorderContainer, serveConfig, storage } from './container.ts'
import { type Asked, read } from './request.ts'

/** Devices that keep recordings of sessions. */
export const recorder: Kind = {
  name: 'Recorder',
  resource: recorders,
  claims: () => true,
  plan: (object, _world, settings) => {
    const asked = read(object)
    if (settings.agent === 'upstream')
      throw new UserError(
        'NotSupportedByAgent',
        'the recorder needs Culvert’s agent beside it, and the image of the proxies has Tailscale’s',
        'Let the operator’s settings name an image of Culvert’s agent.',
      )
    return {
      proxies: {
        type: 'recorder',
        app: 'k8s-operator-recorder',
        hostnames: asked.hostnames,
        tags: asked.spec.tags ?? [],
        mode: 'userspace',
        variables: agentVariables,
        device: {},
        serveConfig: serveConfig(asked),
        proxyClass: undefined,
        metrics: undefined,
        ownOptions: [],
        name: object.metadata.name,
        sidecar: recorderContainer(asked, settings.recorderImage),
        special: specialOf(object, asked),
      },
      objects: [],
      events: annotationEvents(object),
    }
  },
  report: (object, seen) => {
    const up = seen.devices.filter(isUp)
    const hasPage = isJsonObject(object['spec']) && object['spec']['enableUI'] === true
    return {
      status: { devices: devicesOf(up, hasPage) },
      conditions: [readiness(words, hostnamesOf(object), seen)],
      events: hasPage && up.some(({ httpsEndpoint }) => httpsEndpoint === noHttps) ? [withoutPage] : [],
    }
  },
}

const withoutPage = httpsNotEnabled('there is no web page of the recordings')

const words: Words = {
  type: 'RecorderReady',
  created: 'RecorderCreated',
  refused: { invalid: 'RecorderInvalid', pending: 'RecorderCreating', failed: 'RecorderCreationFailed' },
  own: ['RecorderTailnetUnavailable'],
}

const recordingsEnd = {
  type: 'Warning',
  reason: 'RecordingsEnd',
  message:
    'the recordings that Tailscale’s recorder has kept in its Pods end with these: copy them before this operator is started',
} as const

function specialOf({ metadata: { name } }: KubeObject, asked: Asked): Special {
  const { labels, annotations = {}, pod = {} } = asked.spec.statefulSet ?? {}
  // Ours say what was made, and so which claims it has.
  const theirs = Object.fromEntries(Object.entries(annotations).filter(([key]) => !key.startsWith('culvert/')))
  const { container: _, serviceAccount, ...ofPod } = pod
  return {
    account: { name: serviceAccount?.name || name, annotations: serviceAccount?.annotations ?? {} },
    ...storage(asked),
    overlay: (set) => overlay(set, { statefulSet: { labels, annotations: theirs, pod: ofPod } }),
    farewell: asked.spec.storage?.s3 === undefined ? recordingsEnd : undefined,
  }
}

/** Of a Recorder that is not valid any more, what it asked for before is not known. */
function hostnamesOf(object: KubeObject): readonly string[] {
  try {
    return read(object).hostnames
  } catch {
    return []
  }
}

/** The API refuses two with one name, which a tailnet can give to two devices for a moment. */
function devicesOf(devices: readonly Device[], hasPage: boolean): readonly object[] {
  const known = devices.map(({ fqdn = '', addresses, httpsEndpoint = noHttps }) => {
    const hostname = fqdn.split('.')[0] ?? ''
    const url = hasPage && httpsEndpoint !== noHttps && { url: `https://${httpsEndpoint}` }
    return [hostname, { hostname, tailnetIPs: addresses, ...url }] as const
  })
  return [...new Map(known).values()]
}
