import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { inHosts, readHosts } from '../../../agent/targets/hosts.ts'
import { noAddress, withTtl } from './answers.ts'

// A Pod's, as kubelet writes it with hostAliases.
const file = `# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
::1\tlocalhost ip6-localhost
10.244.1.7\tproxy-0
# Entries added by HostAliases.
10.0.0.1\tdb.prod\tDB.Test. # the database
10.0.0.2  db.prod
10.0.0.1 db.prod
fd00::1 db.prod
fe80::1%eth0 db.prod
nonsense db.prod only
10.0.0.3 #db.comment
`

it.each<[string, string[], string[]]>([
  ['db.prod', ['10.0.0.1', '10.0.0.2'], ['fd00::1']],
  ['db.prod.', ['10.0.0.1', '10.0.0.2'], ['fd00::1']],
  ['db.test', ['10.0.0.1'], []],
  ['ip6-localhost', [], ['::1']],
])('has addresses of %s', (name, v4, v6) => {
  const answer = (addresses: string[]) => (addresses.length === 0 ? noAddress : withTtl(30, ...addresses))
  expect(inHosts(file, name)).toEqual({ as: `${name} in /etc/hosts`, answers: { 4: answer(v4), 6: answer(v6) } })
})

it.each(['db', 'prod', 'only', 'db.comment', '10.0.0.1', 'database'])('has none of %s', (name) => {
  expect(inHosts(file, name)).toBeUndefined()
})

it('is empty if it cannot be read', async () => {
  const root = mkdtempSync(join(tmpdir(), 'culvert-'))
  expect(await readHosts(root)).toBe('')
  mkdirSync(join(root, 'etc'))
  writeFileSync(join(root, 'etc', 'hosts'), file)
  expect(await readHosts(root)).toBe(file)
  rmSync(root, { recursive: true })
})
