import { afterAll, beforeAll, beforeEach, describe } from 'vitest'
import { connectors } from './connectors.ts'
import { corrections } from './corrections.ts'
import { L3Cluster } from './l3-cluster.ts'
import { l3Egress } from './l3-egress.ts'
import { upstreamL3 } from './upstream-l3.ts'

let cluster: L3Cluster
beforeAll(async () => {
  cluster = await L3Cluster.start()
})
afterAll(() => cluster[Symbol.asyncDispose]())
beforeEach(() => cluster.printLogsOnFailure())

describe('L3 egress', () => l3Egress(() => cluster, true))
describe('a Connector', () => connectors(() => cluster, true))
describe('with Tailscale’s agent', () => upstreamL3(() => cluster))
describe('a corrected template', () => corrections(() => cluster))
