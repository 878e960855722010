import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text as allOf } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { poll } from '../../lab/poll.ts'
import { header, output, RecorderBed } from '../recorder-bed.ts'
import { all, aRequest, listed, stranger, viewer, WebBed } from './web-bed.ts'

const shell = { Namespace: 'shop', PodName: 'web-0', Container: 'main', SessionType: 'exec' }

describe.concurrent('the web page of recordings', () => {
  it('is not there unless it is wanted', async () => {
    await using recorder = await RecorderBed.start()
    expect(recorder.webPort).toBe(0)
    expect((await recorder.ask({ path: '/' })).status).toBe(404)
  })

  it('lists what was recorded, and finds it by who, where, when and command', async () => {
    await using bed = await WebBed.start()
    const exec = await bed.record({ command: 'sh -c "cat /etc/passwd"', kubernetes: shell })
    const ssh = await bed.record({ command: 'top', srcNodeUser: 'bob@example.com', sshUser: 'root', connectionID: 'x' })
    const found = async (query: string) => listed((await bed.page(`/?${query}`)).body)
    expect(await found('')).toEqual([`/see/${ssh}`, `/see/${exec}`])
    expect(await found('who=BOB')).toEqual([`/see/${ssh}`])
    expect(await found('where=web-0')).toEqual([`/see/${exec}`])
    expect(await found('where=prod-k8s')).toHaveLength(2)
    expect(await found('where=elsewhere')).toEqual([])
    expect(await found('command=passwd+CAT')).toEqual([`/see/${exec}`])
    expect(await found('kind=ssh')).toEqual([`/see/${ssh}`])
    expect(await found('from=2099-01-01')).toEqual([])
    expect(await found('to=2099-01-01&from=2020-01-01T00:00')).toHaveLength(2)
    const { status, body } = await bed.page('/?from=yesterday')
    expect(status).toBe(400)
    expect(body).toContain('“yesterday” is no time')
  })

  it('has requests to API servers, too, also beside the session during which they were made', async () => {
    await using bed = await WebBed.start()
    const event = await bed.request(aRequest('/api/v1/namespaces/shop/secrets/password'))
    await bed.request(aRequest('/version', 'other.lab.ts.net', 'eve@example.com'))
    const session = await bed.record({ command: 'sh', kubernetes: shell }, output(1, 'x'))
    expect(listed((await bed.page('/')).body)).toEqual([`/see/${session}`])
    expect(listed((await bed.page('/?kind=request')).body)).toHaveLength(2)
    expect(listed((await bed.page('/?kind=request&where=password&who=alice&command=GET')).body)).toHaveLength(1)
    expect(listed((await bed.page(`/see/${session}`)).body)).toEqual([`/see/${event}`])
    const { body } = await bed.page(`/see/${event}`)
    expect(body).toContain('GET /api/v1/namespaces/shop/secrets/password')
    expect(body).toContain('<dd>secrets</dd>')
    expect(JSON.parse((await bed.page(`/file/${event}`)).body)).toMatchObject({ id: event })
  })

  it('gives recordings as they were sent, to be kept as files', async () => {
    await using bed = await WebBed.start()
    const sent = `not\u0000 JSON\n${output(1, '<b>')}`
    const key = await bed.record({ command: 'x' }, sent)
    const { status, headers, body } = await bed.page(`/file/${key}`)
    expect(status).toBe(200)
    expect(body).toBe(header({ command: 'x' }) + sent)
    expect(headers).toMatchObject({
      'content-type': 'application/x-asciicast',
      'content-length': String(Buffer.byteLength(body)),
      'content-disposition': `attachment; filename="${key.replaceAll(/[/:]/g, '_')}"`,
    })
    const line = await poll('the look is on record', () => bed.recorder.printed.find(({ stage }) => stage === 'read'))
    expect(line).toMatchObject({ key, by: 'laptop.lab.ts.net', user: 'alice@example.com' })
    const head = await bed.recorder.browse(`/file/${key}`, viewer, { method: 'HEAD' })
    expect([head.status, head.body, head.headers['content-length']]).toEqual([200, '', headers['content-length']])
    expect(await bed.recorder.metric('culvert_recorder_read_total')).toBe(1)
  })

  it('lists a session that goes on, and has the whole lines of it so far, and then all of it', async () => {
    await using bed = await WebBed.start()
    const upload = await (await bed.recorder.upload()).begun()
    const begin = header({ command: 'still' })
    await upload.write(begin)
    const [path = ''] = await poll('it is in the list', async () => {
      const found = listed((await bed.page('/')).body)
      return found.length > 0 ? found : undefined
    })
    const file = path.replace('see', 'file')
    const { body } = await bed.page(path)
    expect(body).toContain('still going on')
    expect(body).toMatch(/id="player"[^]*id="follow"/)
    expect(await bed.page(file)).toMatchObject({ body: begin, headers: { 'culvert-recording': 'open' } })
    const [line, half] = [output(1, '€'), '[2,"o","not all']
    await upload.write(line + half)
    await upload.stored(begin.length + Buffer.byteLength(line))
    expect((await bed.page(file)).body).toBe(begin + line)
    const rest = `${file}?from=${begin.length}`
    expect(await bed.page(rest)).toMatchObject({ body: line, headers: { 'culvert-recording': 'open' } })
    // Who may not see it does not see a part of it either.
    expect((await bed.page(file, stranger)).status).toBe(403)
    await upload.write(' of it"]\n')
    await upload.end()
    const ended = await bed.page(rest)
    expect(ended.body).toBe(`${line}${half} of it"]\n`)
    expect(ended.headers).not.toHaveProperty('culvert-recording')
    expect((await bed.page(path)).body).not.toContain('id="follow"')
    for (const from of ['-1', 'x', '1e3']) expect((await bed.page(`${file}?from=${from}`)).status).toBe(400)
    expect((await bed.page(`${file}?from=999999`)).body).toBe('')
    // To follow a session is one look; to begin behind its first byte is one, too.
    const reads = () => bed.recorder.metric('culvert_recorder_read_total')
    expect(await reads()).toBe(2)
    bed.rules.set(stranger, all)
    await poll(
      'the other device may see it',
      async () => (await bed.page(`${file}?from=1`, stranger)).status === 200 || undefined,
    )
    expect(await reads()).toBe(3)
  })

  it('goes on to send a session that ends meanwhile, up to where it was', async () => {
    await using bed = await WebBed.start()
    const upload = await (await bed.recorder.upload()).begun()
    const text = header({ command: 'large' }) + output(1, 'x'.repeat(500_000)).repeat(40)
    await upload.write(text)
    await upload.stored(text.length)
    const [path = ''] = listed((await bed.page('/')).body)
    const socket = await bed.recorder.open(viewer, bed.recorder.webPort)
    socket.write(`GET ${path.replace('see', 'file')} HTTP/1.1\r\nHost: recorder\r\nConnection: close\r\n\r\n`)
    await once(socket, 'readable')
    await upload.write(output(2, 'more'))
    await upload.end()
    const sent = await allOf(socket)
    expect(sent.slice(sent.indexOf('\r\n\r\n') + 4) === text).toBe(true)
  })

  it('has pages that go on one after the other, with everything once', async () => {
    await using bed = await WebBed.start(async (directory) => {
      mkdirSync(join(directory, 'nA'))
      for (let at = 0; at < 120; at += 1)
        writeFileSync(
          join(directory, 'nA', `2026-01-01T00:00:0${at % 10}.000${at}Z.cast`),
          header({ command: `c${at}` }),
        )
      return async () => {}
    })
    await poll('all are read', async () => (await bed.page('/')).body.includes('120 found') || undefined)
    const seen: string[] = []
    let sizes = ''
    for (let next: string | undefined = '/?command=c'; next !== undefined;) {
      const { body } = await bed.page(next)
      seen.push(...listed(body))
      sizes += ` ${listed(body).length}`
      next = /rel="next" href="([^"]+)"/.exec(body)?.[1]?.replaceAll('&amp;', '&')
    }
    expect(sizes).toBe(' 50 50 20')
    expect(new Set(seen).size).toBe(120)
    expect(seen).toEqual(seen.toSorted().toReversed())
  })

  it('has everything again after a crash, from what is stored', async () => {
    await using bed = await WebBed.start()
    const session = await bed.record({ command: 'kept' })
    const event = await bed.request(aRequest('/kept'))
    await bed.recorder.end('SIGKILL')
    await bed.recorder.run()
    const found = (query: string) =>
      poll(`${query} is found`, async () => {
        const some = listed((await bed.page(`/?${query}`)).body)
        return some.length > 0 ? some : undefined
      })
    expect(await found('command=kept')).toEqual([`/see/${session}`])
    expect(await found('kind=request&command=kept')).toEqual([`/see/${event}`])
  })
})
