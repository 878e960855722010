import type { ClientRequest } from 'node:http'

/**
 * Calls `report` when a request is over, at the latest; what has come of it before still counts. Without this, one
 * whose server switches protocols unasked would be waited for for ever: Node cuts the connection without an error.
 */
export function whenUnanswered(outgoing: ClientRequest, report: (error: Error) => void): void {
  outgoing.on('close', () => report(new Error('the connection was closed without an answer')))
}
