import { describe, expect, it } from 'vitest'
import { readSettings, strayVariables, withFlags } from '../../../recorder/settings.ts'

const base = { TSRECORDER_DST: 's3://s3.eu-west-1.amazonaws.com', TSRECORDER_BUCKET: 'recordings' }
const read = (env: Readonly<Record<string, string>> = {}) => readSettings({ ...base, ...env })

describe('the settings for S3', () => {
  it('are few', () => {
    expect(read()).toMatchObject({
      directory: '/data/spool',
      s3: {
        endpoint: 'https://s3.eu-west-1.amazonaws.com',
        bucket: 'recordings',
        region: 'eu-west-1',
        isPathStyle: false,
        credentials: undefined,
        ca: undefined,
        encryption: undefined,
        lock: undefined,
        isMd5: false,
        mostBytes: Infinity,
      },
    })
  })

  it.each([
    ['s3.amazonaws.com', 'us-east-1', false],
    ['s3-fips.dualstack.us-gov-west-1.amazonaws.com', 'us-gov-west-1', false],
    ['s3.cn-north-1.amazonaws.com.cn', 'cn-north-1', false],
    ['s3-eu-west-1.amazonaws.com', 'eu-west-1', false],
    ['minio.storage:9000', 'us-east-1', true],
    ['192.0.2.7:9000', 'us-east-1', true],
    ['[2001:db8::7]:9000', 'us-east-1', true],
  ])('know the endpoint %s', (host, region, isPathStyle) => {
    expect(read({ TSRECORDER_DST: `s3://${host}` }).s3).toMatchObject({
      endpoint: `https://${host}`,
      region,
      isPathStyle,
    })
  })

  it.each([
    ['TSRECORDER_BUCKET', '--bucket', 'another', { bucket: 'another' }],
    ['AWS_REGION', '--region', 'eu-north-1', { region: 'eu-north-1' }],
    ['CULVERT_RECORDER_S3_CA', '--s3-ca', '/ca.pem', { ca: '/ca.pem' }],
    ['CULVERT_RECORDER_S3_TLS', '--s3-tls', 'false', { endpoint: 'http://s3.eu-west-1.amazonaws.com' }],
    ['CULVERT_RECORDER_S3_PATH_STYLE', '--s3-path-style', 'true', { isPathStyle: true }],
    ['CULVERT_RECORDER_S3_ENCRYPTION', '--s3-encryption', 'AES256', { encryption: { kind: 'AES256' } }],
    ['CULVERT_RECORDER_S3_ENCRYPTION', '--s3-encryption', 'aws:kms', { encryption: { kind: 'aws:kms' } }],
    ['CULVERT_RECORDER_S3_ENCRYPTION', '--s3-encryption', 'aws:kms=k', { encryption: { kind: 'aws:kms', key: 'k' } }],
    ['CULVERT_RECORDER_S3_LOCK', '--s3-lock', 'governance=1d', { lock: { mode: 'GOVERNANCE', ms: 86_400_000 } }],
    ['CULVERT_RECORDER_S3_LOCK', '--s3-lock', 'COMPLIANCE=12h', { lock: { mode: 'COMPLIANCE', ms: 43_200_000 } }],
    ['CULVERT_RECORDER_SPOOL_SIZE', '--spool-size', '10Gi', { mostBytes: 10 * 2 ** 30 }],
    ['S3_SEND_CONTENT_MD5', '--send-content-md5', 'true', { isMd5: true }],
  ])('%s=… and %s=%s are the same', (name, flag, value, s3) => {
    expect(read({ [name]: value }).s3).toMatchObject(s3)
    expect(readSettings(withFlags({ ...base, [name]: 'nonsense' }, [`${flag}=${value}`])).s3).toMatchObject(s3)
  })

  it('take credentials that stay, for a session with its token', () => {
    const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: 'token' }
    expect(read(env).s3?.credentials).toEqual({ accessKeyId: 'id', secretAccessKey: 'secret', sessionToken: 'token' })
    const flags = ['--access-key=id', '--secret-key=secret']
    expect(readSettings(withFlags(base, flags)).s3?.credentials).toEqual({
      accessKeyId: 'id',
      secretAccessKey: 'secret',
    })
  })

  it.each([
    [{ TSRECORDER_BUCKET: '' }, /TSRECORDER_BUCKET, or --bucket, must be the name of a bucket/],
    [{ TSRECORDER_BUCKET: '../x' }, /must be the name of a bucket/],
    [{ TSRECORDER_DST: 's3://' }, /s3:\/\/HOST/],
    [{ TSRECORDER_DST: 's3://https://minio' }, /s3:\/\/HOST/],
    [{ TSRECORDER_DST: 's3://minio/bucket' }, /s3:\/\/HOST/],
    [{ TSRECORDER_DST: 's3://user:password@minio' }, /s3:\/\/HOST/],
    [{ AWS_ACCESS_KEY_ID: 'id' }, /must both be set, or neither/],
    [{ CULVERT_RECORDER_S3_ENCRYPTION: 'AES256=key' }, /AES256, aws:kms or aws:kms=KEY/],
    [{ CULVERT_RECORDER_S3_LOCK: '90d' }, /governance=90d or compliance=90d/],
    [{ CULVERT_RECORDER_S3_LOCK: 'governance=soon' }, /governance=90d or compliance=90d/],
    [{ CULVERT_RECORDER_S3_TLS: 'maybe' }, /true or false/],
    [{ CULVERT_RECORDER_SPOOL_SIZE: '1Mi' }, /32Mi or more/],
  ])('%j is refused', (env, words) => {
    expect(() => read(env)).toThrow(words)
  })

  it('have no effect with a directory, which is said', () => {
    const env = { ...base, TSRECORDER_DST: '/data', CULVERT_RECORDER_S3_LOCK: 'nonsense', AWS_REGION: 'eu-west-1' }
    expect(readSettings(env)).toMatchObject({ directory: '/data', s3: undefined })
    expect(strayVariables(env)).toEqual([
      'TSRECORDER_BUCKET has no effect: TSRECORDER_DST is a directory, and not s3://…',
      'CULVERT_RECORDER_S3_LOCK has no effect: TSRECORDER_DST is a directory, and not s3://…',
    ])
  })
})
