import { once } from 'node:events'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { certificateFor } from '../kube/api-server.ts'
import { askForSession, attach, holdSessions } from './a-session.ts'
import { auth, head, reading, watchPath } from './asking.ts'
import { ProxyBed } from './proxy-bed.ts'
import { Recorder } from './recorder.ts'
import { wires } from './recording/wires.ts'

describe('a change of the config', () => {
  const config = (APIServerProxy: object): string => JSON.stringify({ Version: 'v1alpha1', APIServerProxy })
  const write = ({ root }: ProxyBed, content: string): void => {
    // As a whole: a file that is half written would be another test.
    writeFileSync(join(root, 'next'), content)
    renameSync(join(root, 'next'), join(root, 'config.hujson'))
  }
  const file = { TS_K8S_PROXY_CONFIG: 'ROOT/config.hujson' }
  const start = (first: string) => ProxyBed.start(file, (bed) => write(bed, first))

  it('of the name has the certificate of each name shown to who asks by it, until the old name goes', async () => {
    const names = ['old.lab.ts.net', 'new.lab.ts.net'] as const
    const [before, after] = await Promise.all(names.map((name) => certificateFor(`DNS:${name}`)))
    const named = (ServiceName: string, ...OtherServiceNames: readonly string[]): string =>
      config({ Enabled: true, Mode: 'auth', ServiceName, OtherServiceNames })
    await using bed = await ProxyBed.start({ ...file, CULVERT_APISERVER_TLS: 'true' }, (prepared) => {
      prepared.tailscaled.pairs.set(names[0], `${before!.key}${before!.cert}`)
      write(prepared, named('svc:old'))
    })
    /** The name in the certificate that a client is shown which asks by this one. */
    const shownTo = async (servername?: string): Promise<string | undefined> => {
      const socket = connectTls({
        socket: await bed.open(),
        rejectUnauthorized: false,
        ...(servername && { servername }),
      })
      await once(socket, 'secureConnect')
      const { subjectaltname } = socket.getPeerCertificate()
      socket.destroy()
      return subjectaltname?.replace('DNS:', '')
    }
    write(bed, named('svc:old', 'svc:new'))
    await bed.logged(/there is no name with HTTPS among localhost, old/)
    expect([await shownTo(names[0]), await shownTo(names[1])]).toEqual([names[0], names[0]])
    bed.tailscaled.pairs.set(names[1], `${after!.key}${after!.cert}`)
    write(bed, named('svc:new', 'svc:old'))
    await bed.logged(/shows the certificate of new/)
    expect([await shownTo(names[0]), await shownTo(names[1]), await shownTo()]).toEqual([...names, names[0]])
    write(bed, named('svc:new'))
    await expect.poll(() => shownTo(names[0])).toBe(names[1])
    expect(await shownTo()).toBe(names[1])
    // Of a name that goes at once with the change, too, nothing is shown when there is the next one.
    const next = await certificateFor('DNS:next.lab.ts.net')
    bed.tailscaled.pairs.set('next.lab.ts.net', `${next.key}${next.cert}`)
    write(bed, named('svc:next'))
    await expect.poll(() => shownTo()).toBe('next.lab.ts.net')
    expect(await shownTo(names[1])).toBe('next.lab.ts.net')
  })

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

  it('a session that is open for too long ends, and all of it is recorded', async () => {
    await using bed = await ProxyBed.start({ ...auth, CULVERT_APISERVER_DRAIN: '1s' })
    await using recorder = await Recorder.start()
    const capability = { recorderAddrs: [recorder.address], enforceRecorder: true }
    const containers = holdSessions(bed)
    const begun = await askForSession(bed, { from: '100.64.0.7', capability, request: attach(), containers })
    const { client, closed, container, ended } = begun
    const server = await container()
    server.write(wires.webSocket.output('shown'))
    await client.until('shown')
    expect(await bed.terminate()).toBe(0)
    await closed
    expect(await ended()).toMatchObject({ recorder: recorder.address, cut: 'shutting down' })
    expect(await recorder.whole()).toMatchObject([{ version: 2 }, [expect.any(Number), 'o', 'shown']])
  })

  it('it ends at once if nothing is open', async () => {
    await using bed = await ProxyBed.start({ ...auth, CULVERT_APISERVER_DRAIN: '10m' })
    await bed.ask()
    expect(await bed.terminate()).toBe(0)
  })
})
