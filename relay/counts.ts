/** Why datagrams were dropped. */
export type DropReason =
  /** No backend is known. */
  | 'no-backend'
  /** More came at once than are kept while a session is opened. */
  | 'busy'
  /** The backend's host refused an earlier one, or the kernel refused to send. */
  | 'refused'

/** What was passed on, since the start. */
export type Passed = {
  /** Connections or sessions. */
  readonly begun: number
  /** Bytes to backends. */
  readonly toBytes: number
  /** Bytes from them. */
  readonly fromBytes: number
}

export type RelayCounts = {
  readonly tcp: Passed & {
    /** Open connections. */
    readonly connections: number
    /** Connections that no backend accepted, or that were too many. */
    readonly refused: number
  }
  readonly udp: Passed & {
    /** Open sessions. */
    readonly sessions: number
    /** Sessions that were ended early, since there were too many. */
    readonly evicted: number
    /** Datagrams. */
    readonly dropped: Readonly<Record<DropReason, number>>
  }
}
