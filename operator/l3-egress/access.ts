import type { KubeObject } from '../../kube/controller/object.ts'
import { labels } from '../objects/names.ts'

/** Who may connect: Pods of these namespaces, or `*` of all. A selector needs at least one value. */
export function peers(from: '*' | readonly string[]): readonly object[] {
  const among = { key: 'kubernetes.io/metadata.name', operator: 'In', values: from }
  return [{ namespaceSelector: from === '*' ? {} : { matchExpressions: [among] } }]
}

/**
 * A NetworkPolicy for the proxies of a parent: only Pods of these namespaces may connect to them; `*`: of all
 * namespaces. What the proxies themselves connect to, and the answers to that, are not restricted.
 */
export function accessPolicy(parent: KubeObject, namespace: string, from: '*' | readonly string[]): KubeObject {
  const { uid = '' } = parent.metadata
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `ts-egress-${uid}`, namespace },
    spec: {
      podSelector: { matchLabels: { [labels.app]: uid } },
      policyTypes: ['Ingress'],
      // Without any rule, nobody may connect.
      ...(from.length > 0 && { ingress: [{ from: peers(from) }] }),
    },
  }
}
