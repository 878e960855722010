import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { keepMounted } from '../../../agent/mounted/keep.ts'
import { timings } from '../../../agent/world/timings.ts'
import { writeVolume } from '../../lib/kubelet-volume.ts'
import { aContext } from '../a-context.ts'
import { aWorld } from '../a-world.ts'

let parent: string
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'culvert-mounted-'))
})
afterEach(() => rm(parent, { recursive: true }))

it('takes an absent serve config of a group for an empty one, as operators mount it', async () => {
  const { context, store, stop, lines } = aContext(aWorld(), { timings })
  const serveFile = join(parent, 'config.json')
  await keepMounted(context, { egressDirectory: undefined, ingressFile: join(parent, 'ingress.json'), serveFile })
  expect(store.world.mounted.serveConfig).toEqual({ content: { config: {}, rejections: [], warnings: [] } })
  expect(lines).toEqual([])
  stop.abort()
})

it('names the files in the folder of an absent serve config', async () => {
  const { context, store, stop } = aContext(aWorld(), { timings })
  const serveFile = join(parent, 'serve', 'config.json')
  const rejected = () => store.world.mounted.serveConfig?.rejected
  await keepMounted(context, { egressDirectory: undefined, ingressFile: undefined, serveFile })
  expect(rejected()).toMatch(/config\.json: it is absent; .*serve cannot be read: ENOENT/)
  await writeVolume(join(parent, 'serve'), { 'serve-config.json': '{}' })
  await expect.poll(rejected).toMatch(/config\.json: it is absent; .*serve has serve-config\.json$/)
  await writeFile(serveFile, '{}')
  await expect.poll(rejected).toBeUndefined()
  stop.abort()
})
