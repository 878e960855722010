import { expect, test } from 'vitest'
import { concernedBy } from '../../../operator/group-ingress/user-concerns.ts'
import { worldOf } from '../a-world.ts'
import { db, proxyGroup, recordFor, type ReplicaGiven, replica } from './a-group.ts'

/** The Service `db` has given up that name, and asks for `store`. */
const renamed = worldOf(
  proxyGroup('group'),
  db({ 'tailscale.com/hostname': 'store' }),
  recordFor('svc', 'db', { leaving: ['group'] }),
)

const changes: readonly (readonly [string, ReplicaGiven, ReplicaGiven])[] = [
  ['withdrawn by', { advertised: ['svc:db'], configured: [] }, { advertised: [] }],
  ['let go by the config of', { configured: ['svc:db'] }, { configured: [] }],
]
test.each(changes)('a name that an object had before concerns only that when it is %s a replica', (_what, had, has) => {
  const [before, after] = [replica('group-0', had), replica('group-0', has)]
  const concerned = (type: 'svc' | 'ingress') =>
    before.flatMap((one, index) =>
      concernedBy(type, { key: '', before: one, after: after[index], initial: false }, renamed),
    )
  expect([concerned('svc'), concerned('ingress')]).toEqual([['apps/db'], []])
})
