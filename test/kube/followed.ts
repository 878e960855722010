import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach } from 'vitest'
import type { Secret } from '../../kube/client.ts'
import { followSecret, type FollowWaits } from '../../kube/follow.ts'
import { type Clock, systemClock } from '../../lib/clock.ts'
import { patience } from '../lab/patience.ts'
import { ApiServer, json, type Seen, secretJson } from './api-server.ts'

const short: FollowWaits = { poll: 40, retry: 20, rewatch: 400, watch: 60_000, settled: 300 }

/** The kind of a request. */
export const kindOf = ({ url = '' }: Seen): 'get' | 'list' | 'watch' =>
  url.includes('watch=true') ? 'watch' : url.includes('fieldSelector=') ? 'list' : 'get'

export const event = (type: string, object: unknown): string => `${JSON.stringify({ type, object })}\n`
export const modified = (version: string): string => event('MODIFIED', secretJson('a', version))

/** A server whose Secret `a` is followed; each test has its own. */
export class Followed {
  server!: ApiServer
  stop!: AbortController
  /** The resource version of lists and gets. */
  version = '1'

  static forEach(): Followed {
    const followed = new Followed()
    beforeEach(async () => {
      followed.server = await ApiServer.start()
      followed.stop = new AbortController()
      followed.version = '1'
    })
    afterEach(async () => {
      followed.stop.abort()
      await followed.server[Symbol.asyncDispose]()
    })
    return followed
  }

  /** Answers lists and gets, and leaves watches to `watch`. */
  serve(watch: (response: ServerResponse) => void): void {
    this.server.answer = (seen, response) => {
      const secret = secretJson('a', this.version)
      if (kindOf(seen) === 'watch') watch(response)
      else json(response, kindOf(seen) === 'get' ? secret : { metadata: { resourceVersion: '10' }, items: [secret] })
    }
  }

  /** The requests so far. */
  asked(): string[] {
    return this.server.seen.map(kindOf)
  }

  count(kind: 'get' | 'list' | 'watch'): number {
    return this.asked().filter((other) => other === kind).length
  }

  /**
   * Follows in the background: what is yielded, as `show` formats it, which failures were reported, and the pauses in
   * ms.
   */
  follow(waits: Partial<FollowWaits> = {}, timeoutMs = patience, show = versionOf) {
    const pauses: number[] = []
    const clock: Clock = {
      ...systemClock,
      sleep: (ms, signal) => {
        pauses.push(ms)
        return systemClock.sleep(ms, signal)
      },
    }
    const yielded: string[] = []
    const problems: (string | undefined)[] = []
    const options = { problem: (text: string | undefined) => problems.push(text), waits: { ...short, ...waits }, clock }
    const done = (async () => {
      const secrets = followSecret(this.server.client(timeoutMs), 'a', options, this.stop.signal)
      for await (const secret of secrets) yielded.push(secret === undefined ? 'gone' : show(secret))
    })()
    return { yielded, problems, pauses, done }
  }
}

const versionOf = ({ resourceVersion }: Secret): string => resourceVersion
