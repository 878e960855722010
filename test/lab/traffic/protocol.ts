/** The answer of the echo server, one JSON object for each line (TCP) or datagram (UDP). */
export type Echo = {
  /** The name of the server. */
  readonly host: string
  /** The client's address and port as the server saw them. */
  readonly peer: string
  readonly peerPort: number
  readonly data: string
}

/** An echo and how long it took, connecting included, in milliseconds. */
export type Answer = Echo & { readonly took: number }

export type Transport = 'tcp' | 'udp'

/** `https`: a GET on a new connection, to a site whose answer is an echo. */
export type Protocol = Transport | 'https'

export type ProbeSettings = {
  readonly protocol: Protocol
  readonly to: string
  /** The name of the site, for `https`, when `to` is an address. */
  readonly name?: string
  readonly port: number
  /**
   * `flow`: one connection (or one UDP socket) for all; `connect`: a new one for each exchange, as always for `https`.
   */
  readonly mode: 'flow' | 'connect'
  /** Milliseconds between two sends. */
  readonly every: number
  /** The maximum number of exchanges. */
  readonly count: number
  /** Milliseconds after which no exchange begins. */
  readonly duration: number
  /** The time limit of an answer in milliseconds. */
  readonly patience: number
  /** Milliseconds after which a datagram without an answer is sent again; never when left out. */
  readonly resendEvery?: number
  /** How often a failed exchange is repeated, as browsers do with idempotent requests; not at all when left out. */
  readonly retries?: number
  /** Bytes added to each message. */
  readonly padding: number
  /**
   * For a TCP flow: this many milliseconds after it broke, one exchange on a new connection from the same local port.
   */
  readonly againAfter?: number
  /** The local port of a connection; chosen by the kernel when left out. */
  readonly localPort?: number
}

/** The results of a probe, all times in milliseconds. */
export type Report = {
  readonly sent: number
  readonly answered: number
  /** Sent, not answered within the time limit, and without a known error. */
  readonly lost: number
  /** Failures by their code, such as ECONNREFUSED. */
  readonly errors: Readonly<Record<string, number>>
  /** The first of them, each with its time (ISO 8601), to be found in other logs. */
  readonly failures: readonly { readonly at: string; readonly code: string }[]
  /** Those after which the exchange was repeated. */
  readonly retried: readonly { readonly at: string; readonly code: string }[]
  /** The longest time between two answers, or since the last one. */
  readonly longestGap: number
  readonly elapsed: number
  /** Median and slowest answer. */
  readonly median: number
  readonly slowest: number
  /** The maximum number of exchanges under way at once, each with its own connection. */
  readonly maxAtOnce: number
  /** How many answers each server gave. */
  readonly answeredBy: Readonly<Record<string, number>>
  /** The clients' addresses as servers saw them. */
  readonly seenAs: readonly string[]
  /** A flow that the other side or the network ended: when and how. */
  readonly broken?: { readonly at: number; readonly code: string }
  /**
   * The result of the exchange after that from the same local port: the code of its failure, or that it was answered.
   */
  readonly again?: string
}
