import { codeOf, describe } from '../../lib/errors.ts'
import { isJsonObject } from '../../lib/json.ts'
import { RemoteError, type RemoteReason } from '../store/remote.ts'

/** The names that S3, its likes and AWS's token service give to errors, by what they mean. */
const names: Readonly<Partial<Record<RemoteReason, readonly string[]>>> = {
  busy: ['SlowDown', 'ServiceUnavailable', 'InternalError', 'RequestTimeout', 'Throttling', 'ThrottlingException'],
  credentials: [
    'CredentialsProviderError',
    'TokenProviderError',
    'ExpiredToken',
    'ExpiredTokenException',
    'ExpiredTokenError',
    'InvalidAccessKeyId',
    'InvalidClientTokenId',
    'InvalidIdentityToken',
    'InvalidToken',
    'IDPRejectedClaim',
    'SignatureDoesNotMatch',
    'RequestTimeTooSkewed',
  ],
  denied: ['AccessDenied', 'AccessDeniedException', 'AllAccessDisabled', 'AccountProblem'],
  bucket: [
    'NoSuchBucket',
    'InvalidBucketName',
    'PermanentRedirect',
    'AuthorizationHeaderMalformed',
    'IllegalLocationConstraintException',
  ],
  mismatch: [
    'BadDigest',
    'InvalidDigest',
    'InvalidPart',
    'InvalidPartOrder',
    'NoSuchUpload',
    'EntityTooSmall',
    'IncompleteBody',
    'XAmzContentSHA256Mismatch',
    'XAmzContentChecksumMismatch',
  ],
}

const remedies: Readonly<Record<RemoteReason, string>> = {
  unreachable: 'See to the network, the endpoint and its certificate',
  busy: 'It is tried again',
  credentials: 'See to the credentials, and to the clock of this machine',
  denied: 'Give them the rights that docs/recorder.md lists',
  bucket: 'See to the bucket, the region and the endpoint',
  mismatch: 'It is tried again; see to what is between here and S3',
  refused: 'See to the settings of the bucket',
  spool: 'See to the directory',
}

/** What an error of the S3 client means; `doing` says what failed. */
export function failureOf(doing: string, error: unknown): RemoteError {
  if (error instanceof RemoteError) return error
  const reason = reasonOf(error)
  const name = error instanceof Error && error.name !== 'Error' && !error.message.includes(error.name) ? error.name : ''
  const text = describe(error).replaceAll(/\s+/g, ' ').slice(0, 300)
  const what = [doing, name, text].filter(Boolean).join(': ')
  const isMissing = isNamed(error, ['NoSuchKey', 'NotFound'])
  return new RemoteError(reason, `${what} (${remedies[reason]})`, isMissing ? { code: 'ENOENT' } : {})
}

const isNamed = (error: unknown, some: readonly string[]): boolean =>
  error instanceof Error && some.includes(error.name)

function reasonOf(error: unknown): RemoteReason {
  for (const reason of ['busy', 'credentials', 'denied', 'bucket', 'mismatch'] as const)
    if (isNamed(error, names[reason] ?? [])) return reason
  const status = statusOf(error)
  if (status === undefined) return isOfNetwork(error) ? 'unreachable' : 'refused'
  if (status === 501) return 'refused'
  if (status >= 500 || status === 429 || status === 408) return 'busy'
  if (status === 401) return 'credentials'
  if (status === 403) return 'denied'
  if (status === 301 || status === 307) return 'bucket'
  // An answer that is not S3's.
  return status < 400 ? 'unreachable' : 'refused'
}

function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !('$metadata' in error) || !isJsonObject(error.$metadata)) return undefined
  const { httpStatusCode } = error.$metadata
  return typeof httpStatusCode === 'number' ? httpStatusCode : undefined
}

/** Whether there was no answer: a code of the system, of TLS, or a time that is over. */
const isOfNetwork = (error: unknown): boolean =>
  codeOf(error) !== undefined || isNamed(error, ['TimeoutError', 'AbortError', 'AggregateError'])
