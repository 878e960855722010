import type * as z from 'zod/mini'
import type { KubeObject } from '../../kube/controller/object.ts'
import type { Resource } from '../../kube/controller/resource.ts'
import { group, version } from '../objects/names.ts'
import { structural } from './structural.ts'

/** A column of `kubectl get`. */
type Column = {
  readonly name: string
  readonly path: string
  readonly type?: 'string' | 'date'
}

/** One of our kinds: what its CustomResourceDefinition is made of. */
export type Definition<Spec extends z.ZodMiniType = z.ZodMiniType, Status extends z.ZodMiniType = z.ZodMiniType> = {
  readonly resource: Resource
  readonly description: string
  readonly shortNames: readonly string[]
  readonly columns: readonly Column[]
  readonly spec: Spec
  readonly status: Status
}

/** The column with the reason of a condition. */
export const statusColumn = (condition: string): Column => ({
  name: 'Status',
  path: `.status.conditions[?(@.type == "${condition}")].reason`,
})

export const ageColumn: Column = { name: 'Age', path: '.metadata.creationTimestamp', type: 'date' }

export function crdOf({ resource, description, shortNames, columns, spec, status }: Definition): KubeObject {
  const { kind, plural, namespaced } = resource
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        ...(shortNames.length > 0 && { shortNames }),
      },
      scope: namespaced ? 'Namespaced' : 'Cluster',
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: columns.map(({ name, path, type = 'string' }) => ({
            name,
            type,
            jsonPath: path,
          })),
          schema: {
            openAPIV3Schema: {
              description,
              type: 'object',
              required: ['spec'],
              properties: { spec: structural(spec), status: structural(status) },
            },
          },
        },
      ],
    },
  }
}
