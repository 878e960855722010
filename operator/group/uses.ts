import { groupEgressUse } from '../group-egress/use.ts'
import { apiGroupUse } from '../group-ingress/api-group-use.ts'
import { ingressUse } from '../group-ingress/ingress-use.ts'
import type { GroupUse } from './use.ts'

/** What groups can be for, one for each type. */
export const uses: readonly GroupUse[] = [groupEgressUse, ingressUse, apiGroupUse]
