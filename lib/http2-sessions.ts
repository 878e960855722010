import type { Http2Server, Http2Session } from 'node:http2'

/**
 * Ends the connections of a server that have had no stream for `idleMs` milliseconds; others may be silent for longer.
 * Gives what has all of them end when their present streams have ended.
 */
export function endIdleSessions(server: Http2Server, idleMs: number): () => void {
  const sessions = new Set<Http2Session>()
  server.on('session', (session) => {
    let streams = 0
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
    session.on('stream', (stream) => {
      streams += 1
      stream.on('close', () => (streams -= 1))
    })
    session.setTimeout(idleMs, () => {
      if (streams === 0) session.close()
    })
  })
  return () => {
    for (const session of sessions) session.close()
  }
}
