import { once } from 'node:events'
import { mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { capability } from '../../../recorder/web/capability.ts'
import { aWhois } from '../../apiserver/a-whois.ts'
import { poll } from '../../lab/poll.ts'
import { header, output } from '../recorder-bed.ts'
import { all, aRequest, listed, stranger, viewer, WebBed } from './web-bed.ts'

/** Where a link leads to; it may be gone meanwhile. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

describe.concurrent('who may see what on the web page', () => {
  it('is nobody, and nothing, without the capability or with one that cannot be read', async () => {
    await using bed = await WebBed.start()
    const key = await bed.record({ command: 'secret' })
    const paths = ['/', `/see/${key}`, `/file/${key}`, '/?kind=request', '/nothing']
    const garbage = [undefined, [], 'x', [{}], [{ who: '*' }], [{ who: ['*'], only: 1 }], [{ who: ['*'] }, null]]
    for (const [at, rules] of garbage.entries()) {
      const from = `100.64.2.${at}`
      bed.rules.set(from, rules)
      for (const path of paths) {
        const { status, body } = await bed.page(path, from)
        expect([status, body.includes('secret')], JSON.stringify(rules)).toEqual([403, false])
      }
    }
    expect(await bed.recorder.metric('culvert_recorder_read_total')).toBeUndefined()
  })

  it('is what its rules say, and what it may not see is as if it were not there', async () => {
    await using bed = await WebBed.start()
    bed.rules.set(stranger, [{ who: ['self'] }, { who: ['tag:ci'], nodes: ['tag:k8s'] }])
    const alices = await bed.record({ command: 'of alice' })
    const bobs = await bed.record({ command: 'of bob', srcNodeUser: 'bob@example.com' })
    const robots = await bed.record({ command: 'of ci', srcNodeUser: '', srcNodeTags: ['tag:ci'] })
    const event = await bed.request(aRequest('/of/alice'))
    const { body } = await bed.page('/', stranger)
    expect(listed(body).toSorted()).toEqual([`/see/${bobs}`, `/see/${robots}`].toSorted())
    expect(body).toContain('2 found')
    const nothing = await bed.page('/see/nLaptop/2026-01-01T00:00:00.000Z.cast', stranger)
    expect(nothing.status).toBe(404)
    for (const path of [`/see/${alices}`, `/file/${alices}`, `/see/${event}`, `/file/${event}`])
      expect(await bed.page(path, stranger)).toMatchObject({ status: 404, body: nothing.body })
    expect(listed((await bed.page('/?kind=request', stranger)).body)).toEqual([])
    expect((await bed.page(`/file/${bobs}`, stranger)).status).toBe(200)
  })

  it('is nobody whom tailscaled does not know, or cannot be asked about', async () => {
    await using bed = await WebBed.start()
    bed.recorder.tailscaled.whois = (address, response) => {
      if (address === '100.64.1.1') response.statusCode = 404
      else if (address === '100.64.1.2') response.statusCode = 500
      else if (address === '100.64.1.3') return aWhois('100.64.9.9', { capMap: { [capability]: all } })
      else
        return aWhois(address, {
          capMap: { [capability]: all },
          node: { KeyExpiry: '2020-01-01T00:00:00Z' },
        })
      return ''
    }
    expect((await bed.page('/', '100.64.1.1')).status).toBe(403)
    expect((await bed.page('/', '100.64.1.2')).status).toBe(503)
    expect((await bed.page('/', '100.64.1.3')).status).toBe(503)
    expect((await bed.page('/', '100.64.1.4')).status).toBe(403)
  })

  it('is not what a header says, and nothing is answered without the one of tailscaled', async () => {
    await using bed = await WebBed.start()
    const headers = {
      'tailscale-user-login': 'alice@example.com',
      'x-forwarded-for': viewer,
      forwarded: `for=${viewer}`,
    }
    expect((await bed.page('/', stranger, headers)).status).toBe(403)
    const bare = await bed.recorder.openBare(bed.recorder.webPort)
    bare.end('GET / HTTP/1.1\r\nHost: recorder\r\n\r\n')
    expect(await text(bare).catch(() => '')).toBe('')
  })
})

describe.concurrent('what somebody can do to the web page', () => {
  it('no address leads out of the recordings', async () => {
    await using bed = await WebBed.start(async (directory) => {
      writeFileSync(join(directory, '..', 'secret.cast'), header({ command: 'stolen' }))
      writeFileSync(join(directory, 'secret.cast'), header({ command: 'stolen' }))
      mkdirSync(join(directory, 'nA'))
      writeFileSync(join(directory, 'nA', '.hidden.cast'), header({ command: 'stolen' }))
      writeFileSync(join(directory, 'nA', '<b>.cast'), header({ command: 'stolen' }))
      return async () => {}
    })
    await bed.record({ command: 'mine' })
    const keys = [
      '../secret.cast',
      '..%2fsecret.cast',
      '%2e%2e/secret.cast',
      'nA/../secret.cast',
      'nA/..%5c..%5csecret.cast',
      'secret.cast',
      '/etc/passwd',
      '%2fetc%2fpasswd',
      'nA/.hidden.cast',
      'nA/<b>.cast',
      'nA/%3Cb%3E.cast',
      'nA',
      '',
      'nA%00.cast',
      '__proto__',
      'constructor',
      'events/../../secret.cast',
    ]
    for (const folder of ['see', 'file', 'assets', 'assets/x'])
      for (const key of keys) {
        const { status, body } = await bed.page(`/${folder}/${key}`)
        expect([400, 404], `${folder} ${key}`).toContain(status)
        expect(body).not.toContain('stolen')
      }
    expect(listed((await bed.page('/')).body)).toHaveLength(1)
  })

  it('every answer has the headers that keep browsers from doing more than show it', async () => {
    await using bed = await WebBed.start()
    const key = await bed.record({ command: 'x' })
    const answers = await Promise.all(
      ['/', `/see/${key}`, `/file/${key}`, '/nothing', '/?from=x'].map((path) => bed.page(path)),
    )
    for (const { headers } of answers) {
      expect(headers).toMatchObject({
        'cache-control': 'no-store',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'cross-origin-resource-policy': 'same-origin',
      })
      expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src .*frame-ancestors 'none'$/)
      expect(headers['content-security-policy']).not.toContain('unsafe-inline')
      expect(headers).not.toHaveProperty('set-cookie')
    }
    for (const { body } of answers.filter(({ headers }) => headers['content-type']?.startsWith('text/html')))
      expect(body).not.toMatch(/<style|style=|<script(?! src="\/assets\/)|\son\w+=/)
  })

  it('only GET is answered, and pages of other sites get nothing', async () => {
    await using bed = await WebBed.start()
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      expect((await bed.recorder.browse('/', viewer, { method })).status).toBe(405)
    const foreign = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' }
    expect((await bed.page('/', viewer, foreign)).status).toBe(403)
    const link = { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
    expect((await bed.page('/', viewer, link)).status).toBe(200)
  })

  it('a recording that is gone, or cannot be read, is said to be', async () => {
    await using bed = await WebBed.start(async (directory) => {
      mkdirSync(join(directory, 'nA'))
      writeFileSync(join(directory, 'nA', 'x.cast'), 'nonsense\n')
      return async () => {}
    })
    await poll('it is read', async () => (await bed.page('/')).body.includes('1 found') || undefined)
    const { body } = await bed.page('/see/nA/x.cast')
    expect(body).toContain('cannot be read')
    expect(body).not.toContain('id="player"')
    expect((await bed.page('/file/nA/x.cast')).body).toBe('nonsense\n')
    rmSync(join(bed.recorder.directory, 'nA', 'x.cast'))
    expect((await bed.page('/file/nA/x.cast')).status).toBe(404)
  })

  it('a reader that goes away in the middle of a large recording leaves nothing behind', async () => {
    await using bed = await WebBed.start()
    const key = await bed.record(
      { command: 'large' },
      ...Array.from({ length: 40 }, () => output(1, 'x'.repeat(500_000))),
    )
    for (let turn = 0; turn < 3; turn += 1) {
      const socket = await bed.recorder.open(viewer, bed.recorder.webPort)
      socket.write(`GET /file/${key} HTTP/1.1\r\nHost: recorder\r\n\r\n`)
      await once(socket, 'readable')
      socket.destroy()
    }
    const { body } = await bed.page(`/file/${key}`)
    expect(body.length).toBeGreaterThan(20_000_000)
    expect(bed.recorder.log).not.toContain('could not answer')
    const folder = `/proc/${bed.recorder.pid}/fd`
    await poll('all files are closed', () => {
      const isOpen = readdirSync(folder).some((fd) => linkOf(join(folder, fd)).endsWith('.cast'))
      return isOpen ? undefined : true
    })
  })
})
