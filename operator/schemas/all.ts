import { connector } from './connector.ts'
import type { Definition } from './definition.ts'
import { dnsConfig } from './dns-config.ts'
import { peerRelay } from './peer-relay.ts'
import { proxyClass } from './proxy-class.ts'
import { proxyGroupPolicy } from './proxy-group-policy.ts'
import { proxyGroup } from './proxy-group.ts'
import { recorder } from './recorder.ts'
import { tailnet } from './tailnet.ts'

/** All kinds of our group. */
export const definitions: readonly Definition[] = [
  connector,
  dnsConfig,
  peerRelay,
  proxyClass,
  proxyGroup,
  proxyGroupPolicy,
  recorder,
  tailnet,
]
