import type { ClientRequest } from 'node:http'

/**
 * Calls `report` when a request is over at the latest; earlier results still count. Without it a request would hang
 * forever if the server switches protocols unasked: Node then closes the connection without an error.
 */
export function whenUnanswered(outgoing: ClientRequest, report: (error: Error) => void): void {
  outgoing.on('close', () => report(new Error('the connection was closed without an answer')))
}
