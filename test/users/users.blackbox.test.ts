import { describe, test } from 'vitest'
import { playScenario } from '../blackbox/scenario.ts'
import { withMistakes } from './mistakes.ts'
import { isForKubernetes, readContainer } from './readers/read.ts'
import { scenarioOf } from './user.ts'
import { worksInClusters } from './works-in-clusters.ts'
import { works } from './works.ts'

// Files in which people run upstream's image, in many formats and habits.
describe.concurrent.each(Object.entries({ works, worksInClusters, withMistakes }))('%s', (_name, users) => {
  test.each(Object.entries(users))('%s', async (path, user) => {
    const container = await readContainer(path, user.name ?? 'tailscale')
    await playScenario(scenarioOf(container, user, isForKubernetes(path)))
  })
})
