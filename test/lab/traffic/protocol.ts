/** What the echo backend answers, one JSON object to each line (TCP) or datagram (UDP). */
export type Echo = {
  /** Who answers. */
  readonly host: string
  /** The address and port the backend saw the caller at. */
  readonly peer: string
  readonly peerPort: number
  readonly data: string
}

/** An echo and how long it took, connecting included, in milliseconds. */
export type Answer = Echo & { readonly took: number }

export type Transport = 'tcp' | 'udp'

/** `https`: a GET on a connection of its own, to a site whose answer is an echo. */
export type Protocol = Transport | 'https'

export type ProbeSettings = {
  readonly protocol: Protocol
  readonly to: string
  /** Of the site, for `https`, when `to` is an address. */
  readonly name?: string
  readonly port: number
  /**
   * `flow`: one connection (or one UDP socket) for all; `connect`: a new one for each exchange, as always for `https`.
   */
  readonly mode: 'flow' | 'connect'
  /** Milliseconds between two sends. */
  readonly every: number
  /** The most exchanges to be begun. */
  readonly count: number
  /** Milliseconds after which no exchange is begun. */
  readonly duration: number
  /** Milliseconds that an answer may take. */
  readonly patience: number
  /** Milliseconds after which a datagram without an answer is sent again; never when left out. */
  readonly resendEvery?: number
  /** How often an exchange that fails is begun anew, as browsers do with what may be asked twice; not at all when left out. */
  readonly retries?: number
  /** Bytes added to each message. */
  readonly padding: number
  /** Of a TCP flow: so many milliseconds after it was broken, one exchange on a new connection from the same local port. */
  readonly againAfter?: number
  /** The local port of a connection; chosen by the kernel when left out. */
  readonly localPort?: number
}

/** What a probe saw, all times in milliseconds. */
export type Report = {
  readonly sent: number
  readonly answered: number
  /** Sent, not answered within its patience, and no error known. */
  readonly lost: number
  /** Failures by their code, such as ECONNREFUSED. */
  readonly errors: Readonly<Record<string, number>>
  /** The first of them, each with its time (ISO 8601), to be found in the logs of others. */
  readonly failures: readonly { readonly at: string; readonly code: string }[]
  /** Those after which the exchange was begun anew. */
  readonly retried: readonly { readonly at: string; readonly code: string }[]
  /** The longest time between two answers, or since the last one. */
  readonly longestGap: number
  readonly elapsed: number
  /** Median and slowest answer. */
  readonly median: number
  readonly slowest: number
  /** The most exchanges that were under way at once, each with a connection of its own. */
  readonly mostAtOnce: number
  /** How many answers each backend gave. */
  readonly answeredBy: Readonly<Record<string, number>>
  /** The callers' addresses as backends saw them. */
  readonly seenAs: readonly string[]
  /** A flow that the other side or the network ended: when and how. */
  readonly broken?: { readonly at: number; readonly code: string }
  /** What became of the exchange after that from the same local port: the code of its failure, or that it was answered. */
  readonly again?: string
}
