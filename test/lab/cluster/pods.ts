import type { KubeObject } from './kubectl.ts'

type Waiting = { readonly reason?: string; readonly message?: string; readonly exitCode?: number }

export type Pod = KubeObject & {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly uid: string }
  readonly spec: { readonly nodeName?: string }
  readonly status: {
    readonly phase?: string
    readonly reason?: string
    readonly message?: string
    readonly podIPs?: readonly { readonly ip: string }[]
    readonly conditions?: readonly {
      readonly type: string
      readonly status: string
      readonly reason?: string
      readonly message?: string
    }[]
    readonly initContainerStatuses?: readonly ContainerStatus[]
    readonly containerStatuses?: readonly ContainerStatus[]
  }
}

type ContainerStatus = {
  readonly name: string
  readonly ready: boolean
  readonly restartCount: number
  readonly state?: { readonly waiting?: Waiting; readonly running?: unknown; readonly terminated?: Waiting }
  readonly lastState?: { readonly terminated?: Waiting }
}

/** True unless a Pod is ready or has completed. */
export function isUnready({ status }: Pod): boolean {
  if (status.phase === 'Succeeded') return false
  return !(status.conditions ?? []).some(({ type, status: is }) => type === 'Ready' && is === 'True')
}

/** Why a Pod is not ready, a line for each reason. */
export function unreadyReasons({ metadata, spec, status }: Pod): string[] {
  const head = `${metadata.namespace}/${metadata.name}: ${status.phase ?? 'new'} on ${spec.nodeName ?? 'no node'}`
  const conditions = (status.conditions ?? []).filter(({ status: is }) => is !== 'True')
  const containers = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]
  return [
    `${head}${details(status)}`,
    ...conditions.map((condition) => `  not ${condition.type}${details(condition)}`),
    ...containers.map(({ name, ready, restartCount, state = {}, lastState = {} }) => {
      const [what = 'unknown', detail] = Object.entries(state)[0] ?? []
      const before = lastState.terminated === undefined ? '' : `; before: ended${details(lastState.terminated)}`
      const how = `${what}${details(detail ?? {})}${ready ? ', ready' : ''}`
      return `  container ${name}: ${how}, ${restartCount} restarts${before}`
    }),
  ]
}

function details({ reason, message, exitCode }: Waiting): string {
  const parts = [reason, exitCode === undefined ? undefined : `exit code ${exitCode}`, message]
  const text = parts.filter((part) => part !== undefined && part !== '').join(', ')
  return text === '' ? '' : ` (${text})`
}
