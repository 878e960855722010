import { execa } from 'execa'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { readArchive } from '../test/lab/images/archive.ts'
import { buildImage, buildUpstreamImage, type Image } from '../test/lab/images/image.ts'
import type { Side } from './pair.ts'
import type { Row, Section } from './section.ts'

export type Images = Readonly<Record<Side, Image>>

/** Bytes of a layer: as a tar file, and compressed as in registries. */
type Layer = { readonly unpacked: number; readonly packed: number }

export async function buildImages(note: (detail: string) => void): Promise<Images> {
  return { ours: await buildImage(note), upstream: await buildUpstreamImage(note) }
}

/** Measures the size of both images and of their parts. */
export async function measureImages(images: Images, note: (detail: string) => void): Promise<Section> {
  const ours = await layersOf(images.ours, note)
  const upstream = await layersOf(images.upstream, note)
  const row = (what: string, kind: keyof Layer, from = 0, to?: number): Row => ({
    what,
    unit: 'MB',
    better: 'less',
    ours: [megabytes(ours.slice(from, to), kind)],
    other: [megabytes(upstream.slice(from, to), kind)],
  })
  return {
    title: 'Image',
    against: 'upstream',
    rows: [
      row('compressed, as it is pulled', 'packed'),
      row('… Debian and its packages', 'packed', 0, 2),
      row('… tailscaled and tailscale (upstream: containerboot, too)', 'packed', 2, 3),
      row('… Node and the agent', 'packed', 3),
      row('unpacked', 'unpacked'),
      row('… Debian and its packages', 'unpacked', 0, 2),
      row('… tailscaled and tailscale (upstream: containerboot, too)', 'unpacked', 2, 3),
      row('… Node and the agent', 'unpacked', 3),
    ],
    note:
      'Upstream’s image is rebuilt here from its contents on the Debian of ours; the original is based on Alpine, which is ' +
      'smaller. Node is stripped of its symbols, which saves 18 MB, or 4 MB compressed. Compressed by gzip, level 6.',
  }
}

async function layersOf({ archive, reference }: Image, note: (detail: string) => void): Promise<Layer[]> {
  note(`compress the layers of ${reference}`)
  const { layers } = await readArchive(archive)
  return await Promise.all(layers.map((layer) => sizesOf(archive, layer)))
}

async function sizesOf(archive: string, layer: string): Promise<Layer> {
  const tar = execa('tar', ['--extract', '--to-stdout', '--file', archive, layer], { buffer: false })
  let unpacked = 0
  let packed = 0
  tar.stdout.on('data', (chunk: Buffer) => (unpacked += chunk.length))
  const count = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      packed += chunk.length
      done()
    },
  })
  await pipeline(tar.stdout, createGzip({ level: 6 }), count)
  await tar
  return { unpacked, packed }
}

function megabytes(layers: readonly Layer[], kind: keyof Layer): number {
  return layers.reduce((sum, layer) => sum + layer[kind], 0) / 1e6
}
