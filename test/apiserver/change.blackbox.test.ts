import { once } from 'node:events'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { auth, head, reading, watchPath } from './asking.ts'
import { ProxyBed } from './proxy-bed.ts'

describe('a change of the config', () => {
  const config = (APIServerProxy: object): string => JSON.stringify({ Version: 'v1alpha1', APIServerProxy })
  const write = ({ root }: ProxyBed, content: string): void => {
    // As a whole: a file that is half written would be another test.
    writeFileSync(join(root, 'next'), content)
    renameSync(join(root, 'next'), join(root, 'config.hujson'))
  }
  const start = (first: string) =>
    ProxyBed.start({ TS_K8S_PROXY_CONFIG: 'ROOT/config.hujson' }, (bed) => write(bed, first))

  it('applies at once, ends what began before, and one that cannot be used leaves the last', async () => {
    await using bed = await start(config({ Enabled: true, Mode: 'auth' }))
    bed.upstream.answer = ({ target }, response) => {
      if (target === watchPath) response.writeHead(200).flushHeaders()
      else response.end('done')
    }
    const socket = await bed.open()
    const client = reading(socket)
    socket.write(head(`GET ${watchPath}`))
    await client.until('200 OK')
    write(bed, config({ Enabled: true, Mode: 'noauth' }))
    await once(socket, 'close')
    expect(await bed.audited({ verb: 'watch' })).toMatchObject({ cut: 'the mode has changed' })
    expect((await bed.ask({ path: '/own', headers: { authorization: 'Bearer own' } })).status).toBe(200)
    expect(bed.upstream.forwards.at(-1)?.headers.join(' ')).toMatch(/Bearer own/)

    write(bed, '{')
    await bed.logged(/the last good config stays in force: .*config\.hujson:1:2/)
    expect((await bed.ask()).status).toBe(200)

    write(bed, config({ Enabled: false, Mode: 'auth' }))
    await bed.logged(/can be used again/)
    const before = bed.upstream.forwards.length
    const answer = await bed.ask()
    expect([answer.status, bed.upstream.forwards.length]).toEqual([503, before])
    expect(answer.body).toContain('switched off')
  })
})

describe('at SIGTERM', () => {
  const watched = (bed: ProxyBed) => {
    const watch = Promise.withResolvers<Parameters<ProxyBed['upstream']['answer']>[1]>()
    bed.upstream.answer = ({ target }, response) => {
      if (target !== watchPath) {
        response.end('done')
        return
      }
      response.writeHead(200).flushHeaders()
      watch.resolve(response)
    }
    return watch.promise
  }

  it('what is open goes on, and what still comes is served; it ends when nothing is open', async () => {
    await using bed = await ProxyBed.start({ ...auth, CULVERT_APISERVER_DRAIN: '10m' })
    const watch = watched(bed)
    const [watching, idle] = [await bed.open(), await bed.open()]
    const [client, other] = [reading(watching), reading(idle)]
    watching.write(head(`GET ${watchPath}`))
    idle.write(head('GET /api'))
    await other.until('done')
    const response = await watch
    const closed = once(idle, 'close')
    const exited = bed.terminate()
    await closed
    expect(await bed.raw(head('GET /api'))).toMatch(/connection: close.*done/is)
    expect(await bed.probe('/readyz')).toEqual({ status: 503, body: 'shutting down\n' })
    response.write('event')
    await client.until('event')
    response.end()
    expect(await exited).toBe(0)
    expect(client.text()).toMatch(/event\r\n0\r\n\r\n$/)
  })

  it('what is open for too long ends in good order', async () => {
    await using bed = await ProxyBed.start({ ...auth, CULVERT_APISERVER_DRAIN: '1s' })
    const watch = watched(bed)
    const socket = await bed.open()
    const client = reading(socket)
    socket.write(head(`GET ${watchPath}`))
    await watch
    await client.until('200 OK')
    const closed = once(socket, 'close')
    expect(await bed.terminate()).toBe(0)
    await closed
    expect(client.text()).toMatch(/\r\n0\r\n\r\n$/)
  })

  it('it ends at once if nothing is open', async () => {
    await using bed = await ProxyBed.start({ ...auth, CULVERT_APISERVER_DRAIN: '10m' })
    await bed.ask()
    expect(await bed.terminate()).toBe(0)
  })
})
