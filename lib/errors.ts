/** The kind of an error; a closed list, so that exit codes, status and tests can rely on it. */
export type ErrorCode =
  | 'usage' // an unknown command or flag, or a wrong argument
  | 'settings' // a setting can never work
  | 'privilege' // a right, device or kernel setting is missing
  | 'listen' // a socket could not be opened
  | 'boot-deadline' // the boot deadline passed
  | 'family' // every target is of an address family that this node lacks
  | 'daemon' // tailscaled cannot be kept running
  | 'state-secret' // the Secret with the node's state cannot be used
  | 'login' // tailscaled's login was refused for good
  | 'localapi' // tailscaled's LocalAPI did not answer as documented
  | 'netfilter' // the kernel refused rules, or could not be asked
  | 'verification-failed' // the kernel or tailscaled does not hold what it accepted
  | 'kubernetes' // the Kubernetes API refused, could not be reached, or did not answer as documented
  | 'tailscale-api' // Tailscale's HTTP API refused, could not be reached, or did not answer as documented
  | 'leader' // another process is the leader, or may be
  | 'object' // an object in the cluster asks for what cannot be done
  | 'command' // another program failed
  | 'kubeconfig' // a kubeconfig cannot be read, or not be changed as asked
  | 'internal' // a bug in the agent

/** An error with its kind, what failed, and what to do about it. */
export class CulvertError extends Error {
  readonly code: ErrorCode
  /** What the reader can do: one sentence. */
  readonly remedy: string | undefined

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; remedy?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'CulvertError'
    this.code = code
    this.remedy = options.remedy
  }

  /** A word for metrics, of which there are not many: what kind of error it is. */
  get kind(): string {
    return this.code
  }
}

/** The same for any error. */
export const kindOfError = (error: unknown): string =>
  error instanceof CulvertError ? error.kind : error instanceof Error ? error.name : 'unknown'

/** One line for people: message, cause and remedy, without a stack. */
export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const parts = [error.message.trim()]
  const cause = error.cause
  if (cause !== undefined) {
    const text = describe(cause)
    if (text !== '' && !error.message.includes(text)) parts.push(text)
  }
  const line = parts.join(': ')
  return error instanceof CulvertError && error.remedy !== undefined ? `${line}. ${error.remedy}` : line
}

/** The system's error code, such as `ENOENT`; undefined if there is none. */
export const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/** The exit code of a program that ends for this reason: 2 for wrong usage. */
export const exitCodeOf = (error: unknown): 1 | 2 => (error instanceof CulvertError && error.code === 'usage' ? 2 : 1)
