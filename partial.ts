import { copyFileSync, writeFileSync } from 'node:fs'
import { progress } from './test/lab/progress.ts'
import { prepare } from './test/lab/ready.ts'
import { buildAgent } from './tools/build.ts'
import { startBenchBed } from './bench/bench-bed.ts'
import { agentOf, contestants } from './bench/contestant.ts'
import { inBed } from './bench/in-bed.ts'
import { measureMemory, memorySections } from './bench/memory.ts'
import { measureStartup } from './bench/startup.ts'
import { measureEarlier } from './bench/egress/egress.ts'
import { measureAdding } from './bench/egress/adding.ts'
import { recordUpstream } from './bench/egress/record.ts'
import { startEgressBed } from './bench/egress/replica.ts'
import { startLinkBed } from './bench/egress/links.ts'
import { buildProbe } from './bench/egress/probe.ts'
import { ownAddress } from './bench/egress/rules.ts'
import { buildImages, measureImages } from './bench/image.ts'
import { layGround } from './bench/pod.ts'
import { measurePodStart } from './bench/pod-start.ts'
import { full } from './bench/size.ts'
import { markdown, tableOf } from './bench/report.ts'
import { table } from './test/lab/cli/show.ts'
import type { Section } from './bench/section.ts'
const steps = progress(20)
const bundle = await buildAgent()
copyFileSync('/tmp/before.js', 'dist/earlier.js')
const all = contestants(bundle)
const got: Section[] = []
const show = (s: Section) => {
  got.push(s)
  console.log(`\n${s.title}\n${table(tableOf(s))}`)
  writeFileSync(
    '/tmp/partial.md',
    got
      .map((one) =>
        markdown([one], [])
          .split(/^(?=## )/m)
          .slice(1)
          .join(''),
      )
      .join('\n'),
  )
}
const parts = process.argv.slice(2)
const part = async (name: string, work: () => Promise<void>) => {
  if (parts.length === 0 || parts.includes(name)) await work().catch((e) => console.log(name, e))
}
await part('earlier', async () =>
  show(await measureEarlier(agentOf(bundle), agentOf('/tmp/w15/dist/earlier.js'), full.egress.before, steps)),
)
await part('start', () =>
  inBed(startBenchBed(), async (bed) => {
    show(await measureStartup(bed, all, full.startups, () => {}))
    for (const s of memorySections(await measureMemory(bed, all, full.memory, () => {}), full.memory.idle)) show(s)
  }),
)
await part('adding', async () => {
  const probe = await buildProbe(() => {})
  const recording = await inBed(startEgressBed(), (bed) => recordUpstream(bed, all.upstream))
  await inBed(startLinkBed({ ours: ownAddress, upstream: recording.own }), async (bed) =>
    show(await measureAdding({ bed, recording, probe }, full.egress.adding, () => {})),
  )
})
await part('pods', async () => {
  const preparation = await prepare('cluster', 'image')
  await preparation.run(progress(preparation.steps))
  const images = await buildImages(() => {})
  show(await measureImages(images, () => {}))
  await inBed(startBenchBed({ cluster: { nodes: 1 } }), async (bed) =>
    show(await measurePodStart(await layGround(bed, images), full.podStarts, () => {})),
  )
})
