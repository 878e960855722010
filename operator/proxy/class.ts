import type { KubeObject } from '../../kube/controller/object.ts'
import type { ProxyClassSpec } from '../schemas/proxy-class.ts'
import type { World } from '../world/world.ts'

/** A ProxyClass as proxies are made from it. */
export type ProxyClass = {
  readonly name: string
  /** Which agent its image holds; undefined: as the operator's settings say. */
  readonly agent: 'culvert' | 'upstream' | undefined
  readonly acceptRoutes: boolean
  /** Whether certificates come from Let's Encrypt's staging environment. */
  readonly isStaging: boolean
  /** Whether Pods have an endpoint of metrics, and a Service for it. */
  readonly metrics: boolean
  /** Whether tailscaled has its debug endpoint. */
  readonly debug: boolean
  /** How the tailnet reaches the proxies of groups at fixed addresses; undefined: it does not. */
  readonly staticEndpoints: ProxyClassSpec['staticEndpoints']
  /** Labels of the ServiceMonitor that goes with the Service of the metrics; undefined: there is none. */
  readonly serviceMonitor: { readonly labels: Readonly<Record<string, string>> } | undefined
  /**
   * What the class says of the StatefulSet and its Pods, laid over a finished StatefulSet: everything else in it stays,
   * and so do the labels of the operator. Pure.
   */
  readonly overlay: (statefulSet: KubeObject) => KubeObject
}

/** A class by its name, or why nothing may be made from it now: it is absent, invalid, or not validated yet. */
export type ResolveClass = (name: string, world: World) => ProxyClass | { readonly notReady: string }
