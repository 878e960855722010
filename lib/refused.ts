/** Something that is refused. The message is for whoever has asked, the cause for the log. */
export class RefusedWith<Status extends number, Reason extends string> extends Error {
  /** Of HTTP. */
  readonly status: Status
  /** One of a few words, for metrics. */
  readonly reason: Reason

  constructor(status: Status, reason: Reason, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'Refused'
    this.status = status
    this.reason = reason
  }
}
