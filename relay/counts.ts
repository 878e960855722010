/** Why datagrams were dropped. */
export type DropReason =
  /** No backend is known. */
  | 'no-backend'
  /** More came at once than are kept while a session is opened. */
  | 'busy'
  /** The backend's host refused an earlier one, or the kernel refused to send. */
  | 'refused'

export type RelayCounts = {
  readonly tcp: {
    /** Open connections. */
    readonly connections: number
    /** Connections that no backend accepted, or that were too many. */
    readonly refused: number
  }
  readonly udp: {
    /** Open sessions. */
    readonly sessions: number
    /** Sessions that were ended early, since there were too many. */
    readonly evicted: number
    /** Datagrams. */
    readonly dropped: Readonly<Record<DropReason, number>>
  }
}
