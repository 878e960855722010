import { createServer } from 'node:http'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { kubeconfig } from '../../../agent/cli/kubeconfig.ts'

let folder: string
let config: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'culvert-'))
  config = join(folder, '.kube/config')
})
afterEach(() => rmSync(folder, { recursive: true }))

const full = 'kube.tail1234.ts.net'
const mine = 'apiVersion: v1\nkind: Config # mine\ncurrent-context: home\n'

/** Runs the command for a person whose home is the folder. */
const write = (flags: Readonly<Record<string, string>> = {}, env: Readonly<Record<string, string>> = {}) =>
  kubeconfig(new Map(Object.entries({ NAME: full, ...flags })), { HOME: folder, ...env })

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)
const contexts = (path: string): string[] =>
  (parse(readFileSync(path, 'utf8')) as { contexts: { name: string }[] }).contexts.map(({ name }) => name)

/** The file of a person, which others may read. */
function writeMine(text = mine): void {
  mkdirSync(join(folder, '.kube'), { recursive: true })
  writeFileSync(config, text)
  chmodSync(config, 0o640)
}

describe('the file', () => {
  it('is made if it is absent, for its owner only', async () => {
    expect(await write()).toBe(
      `wrote ${config}\nthe context kube is for https://${full}: kubectl --context=kube auth whoami\n`,
    )
    expect([modeOf(config), modeOf(join(folder, '.kube')), contexts(config)]).toEqual(['600', '700', ['kube']])
    expect(readdirSync(join(folder, '.kube'))).toEqual(['config'])
  })

  it('keeps its mode, and is kept as it was, once for each change', async () => {
    writeMine()
    const backup = `${config}.culvert-backup`
    expect(await write()).toContain(`changed ${config}; as it was before: ${backup}\n`)
    expect([modeOf(config), modeOf(backup), readFileSync(backup, 'utf8')]).toEqual(['640', '640', mine])
    const changed = readFileSync(config, 'utf8')
    expect(changed.startsWith(mine)).toBe(true)
    const status = statSync(config)
    expect(await write()).toBe(`nothing to change: the context kube for https://${full} is in ${config}\n`)
    expect(statSync(config)).toEqual(status)
    expect(await write({ context: 'other' })).toContain(`${backup}-2\n`)
    expect([readFileSync(backup, 'utf8'), readFileSync(`${backup}-2`, 'utf8')]).toEqual([mine, changed])
    expect(readdirSync(join(folder, '.kube'))).toHaveLength(3)
  })

  it('is changed where a link leads, and the link stays', async () => {
    writeMine()
    const link = join(folder, 'link')
    symlinkSync('.kube/config', link)
    await write({ kubeconfig: link })
    expect([lstatSync(link).isSymbolicLink(), contexts(config)]).toEqual([true, ['kube']])
    expect(existsSync(`${config}.culvert-backup`)).toBe(true)
  })

  it('is the first of KUBECONFIG that exists, or the last if none does, as with kubectl', async () => {
    writeMine()
    const [absent, last] = [join(folder, 'absent'), join(folder, 'last')]
    await write({}, { KUBECONFIG: `:${absent}:${config}:${last}` })
    expect(contexts(config)).toEqual(['kube'])
    await write({}, { KUBECONFIG: `${absent}:${last}` })
    expect(contexts(last)).toEqual(['kube'])
    expect(existsSync(absent)).toBe(false)
  })

  it('is that of KUBECONFIG in which the entry is', async () => {
    await write({ context: 'old', kubeconfig: join(folder, 'other') })
    writeMine()
    const env = { KUBECONFIG: `${config}:${join(folder, 'other')}` }
    const NAME = 'https://new.tail1234.ts.net'
    await expect(write({ NAME, context: 'old' }, env)).rejects.toThrow(`for "https://${full}"`)
    await write({ NAME, context: 'old', force: 'true' }, env)
    expect(readFileSync(config, 'utf8')).toBe(mine)
    expect(readFileSync(join(folder, 'other'), 'utf8')).toContain(NAME)
  })
})

describe('nothing is written', () => {
  const broken: readonly (readonly [string, () => void, string | RegExp])[] = [
    ['is a directory', () => mkdirSync(config, { recursive: true }), 'it is a directory'],
    ['is huge', () => (writeMine(), truncateSync(config, 100_000_000)), 'it has 100000000 bytes'],
    ['is no text', () => (writeMine(), writeFileSync(config, Buffer.from([0xff, 0xfe, 0x41]))), 'it is not in UTF-8'],
    ['cannot be parsed', () => writeMine('users: [secret'), /line 1 is not valid: \w+/],
    [
      'is a link to nothing',
      () => (mkdirSync(join(folder, '.kube')), symlinkSync('x', config)),
      /cannot be read: ENOENT/,
    ],
    ['is changed by kubectl', () => (writeMine(), writeFileSync(`${config}.lock`, '')), 'has left FILE.lock'],
    ['is below a file', () => writeFileSync(join(folder, '.kube'), ''), /ENOTDIR/],
  ]
  it.each(broken)('if the file %s', async (_what, prepare, message) => {
    prepare()
    const before = readdirSync(folder, { recursive: true })
    const words = typeof message === 'string' ? message.replace('FILE', config) : message
    await expect(write()).rejects.toThrow(words)
    await expect(write()).rejects.toThrow(expect.objectContaining({ code: 'kubeconfig' }))
    expect(readdirSync(folder, { recursive: true })).toEqual(before)
  })

  it.each([
    [{ NAME: '' }, 'kubeconfig takes the proxy: a name such as kube'],
    [{ NAME: 'kube:8443' }, 'kubeconfig takes the proxy'],
    [{ NAME: '100.64.0.1' }, 'kubeconfig takes the proxy'],
    [{ NAME: '-kube.ts.net' }, 'kubeconfig takes the proxy'],
    [{ NAME: 'http://kube.ts.net' }, 'NAME is no https URL'],
    [{ NAME: 'https://me:secret@kube.ts.net' }, 'NAME is no https URL'],
    [{ NAME: 'https://kube.ts.net/?secret' }, 'NAME is no https URL'],
    [{ context: '' }, '--context="" is no usable name'],
    [{ context: 'a\nb' }, String.raw`--context="a\nb" is no usable name`],
    [{ kubeconfig: '' }, '--kubeconfig has no value'],
  ])('for %j, which is wrong usage', async (flags, message) => {
    await expect(write(flags)).rejects.toThrow(message)
    await expect(write(flags)).rejects.toThrow(expect.objectContaining({ code: 'usage' }))
    await expect(write(flags)).rejects.not.toThrow(/secret/)
    expect(readdirSync(folder)).toEqual([])
  })

  it('if there is no home', async () => {
    await expect(kubeconfig(new Map([['NAME', full]]), {})).rejects.toThrow('neither KUBECONFIG nor HOME is set')
  })
})

/** Has a tailscaled answer with a status. */
async function withTailscaled(status: string, then: (socket: string) => Promise<void>): Promise<void> {
  const server = createServer((request, response) =>
    response.end(request.url === '/localapi/v0/status?peers=false' ? status : ''),
  )
  const socket = join(folder, 'socket')
  server.listen(socket)
  await once(server, 'listening')
  try {
    await then(socket)
  } finally {
    server.closeAllConnections()
    server.close()
  }
}

describe('the name', () => {
  it.each([
    ['KUBE.tail1234.ts.net.', 'kube', full],
    [`https://${full}:8443/`, 'kube', `${full}:8443`],
    ['https://10.0.0.1/kube/', '10', '10.0.0.1/kube'],
  ])('%s is the context %s for https://%s', async (NAME, context, server) => {
    expect(await write({ NAME })).toContain(`the context ${context} is for https://${server}:`)
  })

  it('that is short is completed by tailscaled', async () => {
    await withTailscaled('{"BackendState":"Running","MagicDNSSuffix":"tail1234.ts.net"}', async (socket) => {
      expect(await write({ NAME: 'kube', socket })).toContain(`the context kube is for https://${full}:`)
      expect(await write({ NAME: 'kube' }, { TS_SOCKET: socket })).toContain('nothing to change')
    })
  })

  it.each(['{}', '{"MagicDNSSuffix":""}', '{"MagicDNSSuffix":7}', 'no'])(
    'that is short must be full if tailscaled answers %s',
    async (status) => {
      await withTailscaled(status, async (socket) => {
        await expect(write({ NAME: 'kube', socket })).rejects.toThrow(
          expect.objectContaining({ code: 'kubeconfig', remedy: expect.stringContaining('Give the full name') }),
        )
      })
    },
  )

  it('that is short must be full if no tailscaled is there', async () => {
    const socket = join(folder, 'absent')
    await expect(write({ NAME: 'kube', socket })).rejects.toThrow(
      `does not tell the domain of the tailnet on ${socket}`,
    )
    expect(readdirSync(folder)).toEqual([])
  })
})
