import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import * as resources from '../../operator/objects/resources.ts'
import { projectRoot } from '../lab/paths.ts'

/** Words of Kubernetes and of our own that look like reasons and conditions, and never reach a user as such. */
const others: ReadonlySet<string> = new Set([
  ...Object.values(resources).map(({ kind }) => kind),
  // It is only told as pending.
  'ProxyRemoved',
  ...`
    Warning Normal Unknown Update Foreground Background AppConnector Always IfNotPresent
    ExternalName LoadBalancer NodePort ClusterIP PreferDualStack RequireDualStack SingleStack
    RuntimeDefault CharDevice Memory ScheduleAnyway OnDelete RollingUpdate OrderedReady Parallel
    PersistentVolumeClaim ReadWriteOnce Filesystem Pending
    AlreadyExists Opaque Running PodScheduled Initialized PodInitializing ContainerCreating CrashLoopBackOff SIGTERM SIGINT
  `.split(/\s+/),
])

/** What the operator may say: words of its source that are written like reasons. */
const said = new Set(
  readdirSync(join(projectRoot, 'operator'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !/^(?:api|check|schemas|settings|unmanaged)\//.test(name))
    .map((name) => readFileSync(join(projectRoot, 'operator', name), 'utf8'))
    .flatMap((text) => [...text.matchAll(/'([A-Z][A-Za-z]{5,})'/g)])
    .flatMap(([, word = '']) => (others.has(word) ? [] : [word])),
).add('NotManaged')

const pages = readdirSync(join(projectRoot, 'docs')).filter((name) => /^(?:operator|proxy-).*\.md$/.test(name))
const page = (name: string): string => readFileSync(join(projectRoot, 'docs', name), 'utf8')
const wordsOf = (text: string): string[] => [...text.matchAll(/`([A-Z][A-Za-z]{5,})`/g)].map(([, word = '']) => word)

test('the pages about the operator name every condition and reason that it tells', () => {
  const named = new Set(pages.flatMap((name) => wordsOf(page(name))))
  expect([...said].filter((word) => !named.has(word))).toEqual([])
})

test('every condition and reason in the tables of what is reported is told', () => {
  const section = page('operator.md').split('## What is reported')[1]?.split('\n## ')[0] ?? ''
  // The last column has the meaning.
  const cells = section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .flatMap((line) => line.split('|').slice(1, -2))
  const words = new Set(cells.flatMap(wordsOf))
  expect(words.size).toBeGreaterThan(20)
  expect([...words].filter((word) => !said.has(word))).toEqual([])
})
