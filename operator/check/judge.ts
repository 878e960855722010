import { judgeNamespace, judgeNodes, judgeRights, judgeSettings, judgeVersion } from './cluster.ts'
import { valueOf } from '../../lib/fact.ts'
import type { Facts } from './facts.ts'
import type { Finding } from '../../lib/finding.ts'
import { judgeImpersonation } from './impersonation.ts'
import { judgeKinds } from './kinds.ts'
import { judgeOverlap } from './overlap.ts'
import { judgeApprovals } from './approvals.ts'
import { judgeApi, judgeHttps, judgeMagicDns, judgeTags, tagsIn } from './tailnet.ts'
import { judgeTun } from './tun.ts'

/** What the facts mean, in the order in which it is told. */
export function judge(facts: Facts): readonly Finding[] {
  const settings = valueOf(facts.settings)?.settings
  return [
    ...judgeSettings(facts.settings),
    ...judgeVersion(facts.apiServer),
    ...judgeKinds(facts.kinds),
    ...judgeRights(facts.forbidden),
    ...judgeNamespace(facts.namespace),
    ...judgeImpersonation(facts),
    ...judgeNodes(facts.nodes),
    ...judgeTun(facts),
    ...judgeOverlap(facts),
    ...judgeApi(facts.unusable),
    ...judgeTags(facts.key, settings && tagsIn(settings)),
    ...judgeApprovals(facts),
    ...judgeHttps(facts.https),
    ...judgeMagicDns(facts.magicDns),
  ]
}
