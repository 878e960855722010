import type { Kind } from '../kind.ts'
import { groupsLeft } from '../objects/name-in-group.ts'
import { ingressClasses, ingresses, services } from '../objects/resources.ts'
import { ingressesNear, ingressesOf } from './concerns.ts'
import { isOurs } from './ingress.ts'
import { plan } from './plan.ts'
import { report } from './report.ts'

/** HTTPS sites of Ingresses, each on a node of its own, which Services with the same name join. */
export const l7Ingress: Kind = {
  name: 'l7-ingress',
  resource: ingresses,
  claims: (ingress, _world, { ingressClass }) => isOurs(ingress, ingressClass),
  plan,
  report,
  concerns: [
    { resource: services, keys: ingressesNear },
    { resource: ingressClasses, keys: ingressesOf },
    groupsLeft(ingresses),
  ],
}
