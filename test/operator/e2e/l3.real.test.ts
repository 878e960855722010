import { afterAll, beforeAll, beforeEach, describe } from 'vitest'
import { connectors } from './connectors.ts'
import { L3Cluster } from './l3-cluster.ts'
import { l3Egress } from './l3-egress.ts'
import { l3Ingress } from './l3-ingress.ts'

// In one cluster, since starting one takes long.
let cluster: L3Cluster
beforeAll(async () => {
  cluster = await L3Cluster.start()
})
afterAll(() => cluster[Symbol.asyncDispose]())
beforeEach(() => cluster.printLogsOnFailure())

describe('L3 ingress', () => l3Ingress(() => cluster))
describe('L3 egress', () => l3Egress(() => cluster))
describe('a Connector', () => connectors(() => cluster))
