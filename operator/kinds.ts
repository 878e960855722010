import { connector } from './connector/connector.ts'
import type { Judged } from './judged.ts'
import type { Kind } from './kind.ts'
import { l3Egress } from './l3-egress/l3-egress.ts'
import { l3Ingress } from './l3-ingress/l3-ingress.ts'
import { joinedService } from './l7-ingress/joined-service.ts'
import { l7Ingress } from './l7-ingress/kind.ts'
import { proxyClass } from './proxy-class/judge.ts'
import { recorder } from './recorder/recorder.ts'
import { unmanaged } from './unmanaged/unmanaged.ts'

/** All uses of standalone proxies. Of those with the same resource, the first that claims an object has it. */
export const kinds: readonly Kind[] = [joinedService, l3Ingress, l3Egress, l7Ingress, connector, recorder]

/** Kinds whose objects are only told how they stand. */
export const judged: readonly Judged[] = [proxyClass, ...unmanaged]
