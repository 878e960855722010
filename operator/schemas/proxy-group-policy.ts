import * as z from 'zod/mini'
import { proxyGroupPolicies } from '../objects/resources.ts'
import { ageColumn, type Definition } from './definition.ts'
import { conditions, maybe, strings } from './field.ts'

export const proxyGroupPolicy = {
  resource: proxyGroupPolicies,
  description: 'Which ProxyGroups the objects of a namespace may use; all policies of a namespace count together.',
  shortNames: ['pgp'],
  columns: [ageColumn],
  spec: z.object({
    ingress: maybe('ProxyGroups for ingress; none if it is empty or absent.', strings()),
    egress: maybe('ProxyGroups for egress; none if it is empty or absent.', strings()),
  }),
  status: z.object({ conditions: conditions() }),
} satisfies Definition
