import { describe, expect, it } from 'vitest'
import { failureOf } from '../../../recorder/s3/failure.ts'

/** As the SDK makes them. */
const answered = (status: number, name: string): Error =>
  Object.assign(new Error(`it says ${name}`), { name, $metadata: { httpStatusCode: status } })
const failed = (code: string): Error => Object.assign(new Error(`connect ${code}`), { code })
const named = (name: string): Error => Object.assign(new Error('no'), { name })

describe('a failure of S3', () => {
  it.each<[string, Error, { readonly isOfAll: boolean; readonly isLasting: boolean }]>([
    ['busy', answered(503, 'SlowDown'), { isOfAll: true, isLasting: false }],
    ['busy', answered(500, 'Unknown'), { isOfAll: true, isLasting: false }],
    ['busy', answered(429, 'Unknown'), { isOfAll: true, isLasting: false }],
    ['credentials', answered(403, 'InvalidAccessKeyId'), { isOfAll: true, isLasting: true }],
    ['credentials', answered(400, 'ExpiredToken'), { isOfAll: true, isLasting: true }],
    ['credentials', named('CredentialsProviderError'), { isOfAll: true, isLasting: true }],
    ['denied', answered(403, 'Forbidden'), { isOfAll: true, isLasting: true }],
    ['bucket', answered(404, 'NoSuchBucket'), { isOfAll: true, isLasting: true }],
    ['bucket', answered(301, 'PermanentRedirect'), { isOfAll: true, isLasting: true }],
    ['mismatch', answered(400, 'BadDigest'), { isOfAll: false, isLasting: false }],
    ['mismatch', answered(400, 'InvalidPart'), { isOfAll: false, isLasting: false }],
    ['refused', answered(400, 'InvalidRequest'), { isOfAll: false, isLasting: false }],
    ['refused', answered(501, 'NotImplemented'), { isOfAll: false, isLasting: false }],
    ['unreachable', answered(200, 'SyntaxError'), { isOfAll: true, isLasting: false }],
    ['unreachable', failed('ECONNREFUSED'), { isOfAll: true, isLasting: false }],
    ['unreachable', failed('DEPTH_ZERO_SELF_SIGNED_CERT'), { isOfAll: true, isLasting: false }],
    ['unreachable', named('TimeoutError'), { isOfAll: true, isLasting: false }],
  ])('is %s: %s', (reason, error, what) => {
    const failure = failureOf('storing', error)
    expect(failure).toMatchObject({ reason, ...what })
    expect(failure.message).toMatch(/^storing: .* \(.+\)$/)
  })

  it('says when something is not there', () => {
    expect(failureOf('reading', answered(404, 'NoSuchKey')).code).toBe('ENOENT')
    expect(failureOf('reading', answered(404, 'NoSuchBucket')).code).toBeUndefined()
  })

  it('stays what it is, and is one line', () => {
    const failure = failureOf('storing', new Error('two\n  lines'))
    expect(failure.message).toContain('two lines')
    expect(failureOf('again', failure)).toBe(failure)
  })
})
