import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CulvertError } from '../../lib/errors.ts'
import type { Assets } from './page.ts'

/** A file that pages need; it never changes under its address. */
export type Asset = { readonly type: string; readonly bytes: Buffer }

/** The files of the page, by their addresses. */
export type Served = { readonly addresses: Assets; readonly files: ReadonlyMap<string, Asset> }

const types = { 'style.css': 'text/css; charset=utf-8', 'play.js': 'text/javascript; charset=utf-8' } as const

/**
 * Reads the files of the page.
 * @throws CulvertError if they are not there
 */
export async function readAssets(folder: string): Promise<Served> {
  const read = async (name: keyof typeof types) => {
    const bytes = await readFile(join(folder, name))
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
    return { address: `/assets/${hash}/${name}`, asset: { type: types[name], bytes } }
  }
  try {
    const [style, play] = await Promise.all([read('style.css'), read('play.js')])
    return {
      addresses: { style: style.address, play: play.address },
      files: new Map([style, play].map(({ address, asset }) => [address, asset])),
    }
  } catch (cause) {
    throw new CulvertError('settings', 'the files of the web page are missing', {
      cause,
      remedy: 'Install the recorder as a whole, or do not set TSRECORDER_UI.',
    })
  }
}
